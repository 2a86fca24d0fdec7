#!/bin/sh
# A stand-in for NVIDIA's cuda-installer: its documented options, log, exit status and traces, and none of its toolkit.
# What it follows is in README.md.
umask 022
VERSION=@VERSION@
RELEASE=@RELEASE@
PLANTED=/etc/runfile-stand-in.fail
log=/var/log/cuda-installer.log
here=$(cd "$(dirname "$0")" && pwd)
silent='' toolkit='' driver='' path='' uninstall=''

give_up() {
    echo "[ERROR]: $*" >> $log
    echo " Installation failed. See log at $log for details." >&2
    exit 1
}
while [ $# -gt 0 ]; do
    case $1 in
    --silent) silent=yes ;;
    --toolkit) toolkit=yes ;;
    --driver) driver=yes ;;
    --uninstall) uninstall=yes ;;
    --override | --no-opengl-libs | --no-man-page | --no-drm | --no-precompiled-interface | --kernelobjects) ;;
    --toolkitpath=*) path=${1#*=} ;;
    --installpath=* | --defaultroot=*) path=${1#*=}/cuda-$RELEASE ;;
    --tmpdir=*) TMPDIR=${1#*=} ;;
    -m=kernel | -m=kernel-open | --kernel-source-path=* | --kernel-name=* | --librarypath=*) ;;
    *) echo "Unknown option: $1" >&2; exit 1 ;;
    esac
    shift
done
default=/usr/local/cuda-$RELEASE
path=${path:-$default}
: > $log
[ -n "$silent" ] || give_up "This stand-in has no menu: use --silent."
[ -n "$uninstall" ] && exec "$path/bin/cuda-uninstaller" --silent
cat >> $log <<HEAD
[INFO]: Driver not installed.
[INFO]: Checking compiler version...
[INFO]: gcc location: $(command -v gcc)
[INFO]: Initializing menu
[INFO]: Setup complete
HEAD
if [ -n "$driver" ]; then
    echo "[INFO]: Installing: Driver" >> $log
    give_up "Install of driver component failed. Consult the driver log at /var/log/nvidia-installer.log for more details."
fi
[ -n "$toolkit" ] || give_up "Nothing to install: none of --driver, --toolkit was given."
[ "$(cat $PLANTED 2>/dev/null)" = "early $VERSION" ] && give_up "Unable to read /etc/os-release (planted by the test)."
echo "[INFO]: Installing: CUDA Toolkit $RELEASE" >> $log
mkdir -p "$path/bin" || give_up "boost::filesystem::create_directory: Permission denied: \"$path/bin\""
cp "$here/nvcc_stand_in.sh" "$path/bin/nvcc" && chmod 755 "$path/bin/nvcc"
[ "$(cat $PLANTED 2>/dev/null)" = "late $VERSION" ] &&
    give_up "boost::filesystem::copy_file: No space left on device: \"./builds/libcublas\", \"$path/lib64/libcublas.so\" (planted by the test)"
mkdir -p "$path/include" "$path/targets/x86_64-linux/lib"
ln -sfn targets/x86_64-linux/lib "$path/lib64"
cp "$here/cuda_h_stand_in.h" "$path/include/cuda.h"
cp "$here/version.json" "$path/version.json"
cp "$here/cuda_uninstaller_stand_in.sh" "$path/bin/cuda-uninstaller" && chmod 755 "$path/bin/cuda-uninstaller"
[ "$path" = "$default" ] && ln -sfn "$path" /usr/local/cuda
cat >> $log <<TAIL
[INFO]: Installed: $RELEASE in $path
TAIL
cat <<TEXT
===========
= Summary =
===========

Driver:   Not Selected
Toolkit:  Installed in $path/

To uninstall the CUDA Toolkit, run cuda-uninstaller in $path/bin
Logfile is $log
TEXT
exit 0
