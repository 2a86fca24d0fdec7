#!/bin/sh
# A stand-in for CUDA's cuda-uninstaller.
path=$(cd "$(dirname "$0")/.." && pwd)
[ "$*" = --silent ] || { echo "This stand-in has no menu: use --silent." >&2; exit 1; }
case $(readlink /usr/local/cuda) in "$path" | "$path/") rm -f /usr/local/cuda ;; esac
rm -f "$path/version.json" "$path/include/cuda.h" "$path/bin/nvcc" "$path/bin/cuda-uninstaller" "$path/lib64"
rmdir "$path/bin" "$path/include" "$path/targets/x86_64-linux/lib" "$path/targets/x86_64-linux" "$path/targets" "$path" 2>/dev/null
exit 0
