/* A stand-in for cuda.h. */
#define CUDA_VERSION @NUMBER@
