#!/bin/sh
# A stand-in for NVIDIA's nvidia-installer: its options, checks, order of work, log, exit status and traces, and none of its
# driver. What it follows is in README.md. Called nvidia-uninstall it removes.
umask 022
VERSION=@VERSION@
FLAVOURING=@KIND@
MACHINE=@MACHINE@
DESCRIPTION="NVIDIA Accelerated Graphics Driver for Linux-$MACHINE"
BACKUP=/var/lib/nvidia
LIBRARIES=/usr/lib/$MACHINE-linux-gnu
PLANTED=/etc/runfile-stand-in.fail

name=$(basename "$0")
here=$(cd "$(dirname "$0")" && pwd)
log=/var/log/nvidia-installer.log
uninstall='' silent='' kernel='' source='' type='' dkms=auto key='' certificate=''
opengl=yes only_modules='' no_modules='' disable_nouveau=''
nouveau_check=yes load=yes running=no alternates=yes depmod=yes
[ "$name" = nvidia-uninstall ] && uninstall=yes

invalid() {
    # shellcheck disable=SC2016 # the text of the original
    printf '\nERROR: Invalid commandline, please run `%s --help` for usage information.\n\n' "$name" >&2
    exit 1
}

# Every option with an argument takes it in the same word or in the next one.
value() { case $1 in *=*) echo "${1#*=}" ;; *) echo "$2" ;; esac; }
words() { case $1 in *=*) echo 1 ;; *) echo 2 ;; esac; }

echo "$name command line:" > /dev/null
line=$(printf '    %s\n' "./$name" "$@")
while [ $# -gt 0 ]; do
    case $1 in
    -v | --version) echo "$name:  version $VERSION (stand-in)"; exit 0 ;;
    -s | --silent | -q | --no-questions | --ui=none) silent=yes ;;
    -a | --accept-license | --no-x-check | --no-drm | --no-peermem | --no-unified-memory | --no-rpms | -b | --no-backup) ;;
    --no-install-compat32-libs | --install-compat32-libs | --install-libglvnd | --no-install-libglvnd | --no-abi-note) ;;
    --no-wine-files | --no-distro-scripts | --rebuild-initramfs | --no-rebuild-initramfs | --systemd | --no-systemd) ;;
    --skip-module-unload | --no-precompiled-interface | -n) ;;
    --no-opengl-files) opengl= ;;
    --uninstall) uninstall=yes ;;
    --sanity) [ -f $BACKUP/log ]; exit ;;
    --dkms) dkms=yes ;;
    --no-dkms) dkms=no ;;
    -z | --no-nouveau-check) nouveau_check= ;;
    -Z | --disable-nouveau) disable_nouveau=yes ;;
    --no-disable-nouveau) disable_nouveau= ;;
    --skip-module-load) load= ;;
    --skip-depmod) depmod= ;;
    --allow-installation-with-running-driver) running=yes ;;
    --no-allow-installation-with-running-driver) running=no ;;
    --no-check-for-alternate-installs) alternates= ;;
    -K | --kernel-module-only | --kernel-modules-only) only_modules=yes ;;
    --no-kernel-module | --no-kernel-modules) no_modules=yes ;;
    --print-recommended-kernel-module-type) echo proprietary; exit 0 ;;
    -k | --kernel-name | --kernel-name=*) kernel=$(value "$1" "$2"); shift "$(($(words "$1") - 1))" ;;
    --kernel-source-path | --kernel-source-path=*) source=$(value "$1" "$2"); shift "$(($(words "$1") - 1))" ;;
    -M | --kernel-module-type | --kernel-module-type=*) type=$(value "$1" "$2"); shift "$(($(words "$1") - 1))" ;;
    -m | --kernel-module-build-directory | --kernel-module-build-directory=* | -m=*)
        case $(value "$1" "$2") in kernel-open) type=open ;; kernel) type=proprietary ;; *) invalid ;; esac
        shift "$(($(words "$1") - 1))" ;;
    --log-file-name | --log-file-name=*) log=$(value "$1" "$2"); shift "$(($(words "$1") - 1))" ;;
    --tmpdir | --tmpdir=*) TMPDIR=$(value "$1" "$2"); shift "$(($(words "$1") - 1))" ;;
    --module-signing-secret-key | --module-signing-secret-key=*) key=$(value "$1" "$2"); shift "$(($(words "$1") - 1))" ;;
    --module-signing-public-key | --module-signing-public-key=*) certificate=$(value "$1" "$2"); shift "$(($(words "$1") - 1))" ;;
    --module-signing-hash=* | --module-signing-script=* | --module-signing-key-path=* | --concurrency-level=* | -j=*) ;;
    *) invalid ;;
    esac
    shift
done
export TMPDIR="${TMPDIR:-/tmp}"
[ -n "$uninstall" ] && [ "$log" = /var/log/nvidia-installer.log ] && log=/var/log/nvidia-uninstall.log

: > "$log" || log=/dev/null
cat >> "$log" <<HEAD
nvidia-installer log file '$log'
creation time: $(date)
installer version: $VERSION

PATH: $PATH

nvidia-installer command line:
$line

Using built-in stream user interface
HEAD

say() { echo "-> $*" >> "$log"; }
warn() { echo "WARNING: $*" | tee -a "$log" >&2; }
error() { echo "ERROR: $*" | tee -a "$log" >&2; }
failed() {
    [ $# -gt 0 ] && error "$*"
    error "Installation has failed.  Please see the file '$log' for details.  You may find suggestions on fixing" \
        "installation problems in the README available on the Linux driver download page at www.nvidia.com."
    exit 1
}
planted() { [ "$(cat $PLANTED 2>/dev/null)" = "$1 $VERSION" ]; }

installed_version() { sed -n '1s/.*(\(.*\)).*/\1/p' $BACKUP/log 2>/dev/null; }

remove_driver() {
    old=$(installed_version)
    say "Uninstalling $(sed -n 2p $BACKUP/log) ($old):"
    if command -v dkms > /dev/null && [ -d "/var/lib/dkms/nvidia/$old" ]; then
        say "DKMS module detected; removing..."
        dkms remove -m nvidia -v "$old" --all >> "$log" 2>&1
    fi
    sed -n 's/^1: //p' $BACKUP/log | while read -r path; do rm -f "$path"; done
    rm -rf "/usr/src/nvidia-$old" $BACKUP
    [ -n "$depmod" ] && for tree in /lib/modules/*/modules.dep; do depmod "$(basename "$(dirname "$tree")")"; done
    ldconfig
}

[ "$(id -u)" = 0 ] || { error "nvidia-installer must be run as root"; exit 1; }
[ -n "$silent" ] || { error "This stand-in answers no questions: use --silent."; exit 1; }
if [ -n "$uninstall" ]; then
    [ -f $BACKUP/log ] || { say "There is no NVIDIA driver currently installed."; exit 0; }
    planted uninstall && { error "Unable to open the backup log (planted by the test)."; exit 1; }
    remove_driver
    exit 0
fi

# The checks come before anything is touched.
if [ -z "$only_modules$no_modules" ] && [ -e /proc/driver/nvidia/version ]; then
    modprobe -r nvidia_drm nvidia_modeset nvidia_uvm nvidia > /dev/null 2>&1
    if [ -e /proc/driver/nvidia/version ]; then
        warn "An NVIDIA kernel module 'nvidia' appears to be already loaded in your kernel.  This may be because it is in" \
            "use (for example, by an X server, a CUDA program, or the NVIDIA Persistence Daemon), but this may also happen if" \
            "your kernel was configured without support for module unloading."
        [ $running = yes ] || failed
        load=
    fi
fi
say "Installing NVIDIA driver version $VERSION."
if [ -n "$alternates" ] && [ -e /usr/lib/nvidia/alternate-install-present ]; then
    warn "The package that is already installed is named $(dpkg -S /usr/lib/nvidia/alternate-install-present 2>/dev/null | cut -d: -f1)."
    error "The installation was canceled due to the availability or presence of an alternate driver installation. Please" \
        "see $log for more details."
    exit 1
fi
if [ -n "$nouveau_check" ] && [ -e /sys/module/nouveau ]; then
    warn "The Nouveau kernel driver is currently in use by your system.  This driver is incompatible with the NVIDIA driver," \
        "and must be disabled before proceeding."
    if [ -n "$disable_nouveau" ]; then
        for folder in /etc/modprobe.d /usr/lib/modprobe.d; do
            mkdir -p $folder
            printf '# generated by nvidia-installer\nblacklist nouveau\noptions nouveau modeset=0\n' \
                > $folder/nvidia-installer-disable-nouveau.conf
        done
    fi
    failed
fi
planted early && failed "Unable to determine the amount of memory (planted by the test)."

build=
if [ -z "$no_modules" ]; then
    kernel=${kernel:-$(uname -r)}
    source=${source:-/lib/modules/$kernel/build}
    for tool in cc make; do
        command -v $tool > /dev/null || failed "Unable to find the development tool \`$tool\` in your path; please make sure" \
            "that you have the package '$(echo $tool | sed 's/cc/gcc/')' installed.  If $tool is installed on your system," \
            "then please check that \`$tool\` is in your PATH."
    done
    [ -f "$source/Makefile" ] || failed "Unable to find the kernel source tree for the currently running kernel.  Please make" \
        "sure you have installed the kernel source files for your kernel and that they are properly configured; on Red Hat" \
        "Linux systems, for example, be sure you have the 'kernel-source' or 'kernel-devel' RPM installed.  If you know the" \
        "correct kernel source files are installed, you may specify the kernel source path with the '--kernel-source-path'" \
        "command line option."
    case $type in
    '') if [ "${VERSION%%.*}" -ge 560 ]; then type=open; else type=proprietary; fi ;;
    open | proprietary) ;;
    *) failed "'$type' is not a valid kernel module type." ;;
    esac
    [ -n "$key$certificate" ] && { [ -n "$key" ] && [ -n "$certificate" ] || failed "Both signing keys must be given."; }
    if [ "$type" = open ]; then build="kernel-open"; else build="kernel"; fi
    work=$(mktemp -d) && cp -r "$here/$build/." "$work"
    planted build && echo '#error planted by the test' >> "$work/nvidia.c"
    make -C "$source" M="$work" modules > "$work/make.out" 2>&1 || {
        error "An error occurred while performing the step: \"Building kernel modules\". See $log for details."
        { echo "-> The command \`make -C $source M=$work modules\` failed with the following output:"; echo; cat "$work/make.out"; } >> "$log"
        rm -rf "$work"
        failed "An error occurred while building the kernel modules."
    }
    if [ -n "$key" ]; then
        signer=
        for file in "$source/scripts/sign-file" /usr/lib/linux-kbuild-*/scripts/sign-file; do
            if [ -z "$signer" ] && [ -x "$file" ]; then signer=$file; fi
        done
        [ -n "$signer" ] || failed "nvidia-installer cannot sign nvidia.ko without the \`sign-file\` module signing program, and" \
            "was unable to automatically locate it."
        for module in "$work"/*.ko; do
            "$signer" sha256 "$key" "$certificate" "$module" >> "$log" 2>&1 || failed "Failed to attach signature."
        done
    fi
fi

if [ -n "$only_modules" ]; then
    mkdir -p "/lib/modules/$kernel/kernel/drivers/video"
    cp "$work"/*.ko "/lib/modules/$kernel/kernel/drivers/video/" && depmod "$kernel"
    for module in "$work"/*.ko; do
        echo "1: /lib/modules/$kernel/kernel/drivers/video/$(basename "$module")" >> $BACKUP/log
    done
    rm -rf "$work"
    exit 0
fi

# From here on the old driver is gone, as it is with the real one.
[ -f $BACKUP/log ] && remove_driver
mkdir -p $BACKUP && chmod 0700 $BACKUP
( umask 177; printf '1.0-%s (%s)\n%s\n' "$(echo "$VERSION" | tr -d .)" "$VERSION" "$DESCRIPTION" > $BACKUP/log )

lay() { # lay FILE TARGET MODE
    mkdir -p "$(dirname "$2")" && cp "$here/$1" "$2" && chmod "$3" "$2" && echo "1: $2" >> $BACKUP/log
}
tie() { ln -sf "$1" "$2" && echo "1: $2" >> $BACKUP/log; }

lay nvidia-installer /usr/bin/nvidia-installer 755
tie nvidia-installer /usr/bin/nvidia-uninstall
lay libraries/libnvidia-ml.so "$LIBRARIES/libnvidia-ml.so.$VERSION" 755
planted late && failed "Unable to write '/usr/lib/libcuda.so.$VERSION' (No space left on device; planted by the test)."
for library in libcuda libnvidia-cfg libnvidia-ptxjitcompiler; do
    lay "libraries/$library.so" "$LIBRARIES/$library.so.$VERSION" 755
done
for library in libnvidia-ml libcuda libnvidia-cfg libnvidia-ptxjitcompiler; do
    tie "$library.so.$VERSION" "$LIBRARIES/$library.so.1"
done
[ -n "$opengl" ] && lay libraries/libnvidia-glcore.so "$LIBRARIES/libnvidia-glcore.so.$VERSION" 755
case $FLAVOURING in
grid)
    lay gridd_daemon_stand_in.py /usr/bin/nvidia-gridd 755
    lay gridd_smi_stand_in.py /usr/bin/nvidia-smi 755
    mkdir -p /etc/nvidia && lay gridd.conf.template /etc/nvidia/gridd.conf.template 644 ;;
vgpu_manager)
    lay daemon_stand_in.sh /usr/bin/nvidia-vgpud 755
    lay daemon_stand_in.sh /usr/bin/nvidia-vgpu-mgr 755 ;;
esac
ldconfig

if [ -z "$no_modules" ]; then
    [ $dkms = auto ] && { command -v dkms > /dev/null && dkms=yes || dkms=no; }
    if [ $dkms = yes ] && command -v dkms > /dev/null; then
        mkdir -p "/usr/src/nvidia-$VERSION" && cp -r "$here/$build/." "/usr/src/nvidia-$VERSION/"
        dkms add -m nvidia -v "$VERSION" >> "$log" 2>&1
        dkms install -m nvidia -v "$VERSION" -k "$kernel" >> "$log" 2>&1 || warn "Failed to register the NVIDIA kernel modules" \
            "with DKMS. The NVIDIA kernel modules will be installed, but will not be automatically rebuilt if you change your kernel."
    else
        mkdir -p "/lib/modules/$kernel/kernel/drivers/video"
        for module in "$work"/*.ko; do
            target=/lib/modules/$kernel/kernel/drivers/video/$(basename "$module")
            cp "$module" "$target" && echo "1: $target" >> $BACKUP/log
        done
    fi
    [ -n "$depmod" ] && depmod "$kernel"
    if [ -n "$load" ] && [ "$kernel" = "$(uname -r)" ]; then
        said=$(modprobe nvidia 2>&1) || case $said in
        *"No such device"*) ;;
        *)
            echo "-> Kernel module load error: $said" >> "$log"
            failed "Unable to load the kernel module 'nvidia.ko'.  This happens most frequently when this kernel module was built" \
                "against the wrong or improperly configured kernel sources." ;;
        esac
    fi
    rm -rf "$work"
fi
say "Installation of the $DESCRIPTION (version: $VERSION) is now complete."
exit 0
