#!/bin/sh
# A stand-in for nvcc: it says its release as the real one does, and "compiles" every file into a copy of /bin/true.
arch='' out=a.out
LEAST=@LEAST@
for word in "$@"; do
    case $word in
    -V | --version)
        cat <<TEXT
nvcc: NVIDIA (R) Cuda compiler driver
Copyright (c) 2005-2025 NVIDIA Corporation
Built on Tue_Oct_29_23:50:19_PDT_2024
Cuda compilation tools, release @RELEASE@, V@NVCC@
Build cuda_@RELEASE@.r@RELEASE@/compiler.0_0 (stand-in)
TEXT
        exit 0 ;;
    esac
done
while [ $# -gt 0 ]; do
    case $1 in
    -o) out=$2; shift ;;
    -o?*) out=${1#-o} ;;
    -arch | --gpu-architecture) arch=$2; shift ;;
    -arch=* | --gpu-architecture=*) arch=${1#*=} ;;
    -*) ;;
    *) [ -f "$1" ] || { echo "nvcc fatal   : Don't know what to do with '$1'" >&2; exit 1; } ;;
    esac
    shift
done
number=$(echo "$arch" | tr -dc 0-9)
if [ -n "$number" ] && [ "$number" -lt "$LEAST" ]; then
    echo "nvcc fatal   : Unsupported gpu architecture 'compute_$number'" >&2
    exit 1
fi
cp /bin/true "$out"
