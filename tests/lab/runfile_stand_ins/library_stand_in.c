/* A stand-in for one of the driver's libraries: it can be loaded and has nothing in it. */
int nvidia_library_stand_in;
