# Read by build_disk.sh. NVIDIA's driver, built by DKMS for the kernel that the disk boots.
# shellcheck shell=sh disable=SC2154 # root and release are build_disk.sh's
# shellcheck disable=SC2086 # a list of names
chroot "$root" apt-get install -y --no-install-recommends "linux-headers-$release" $PACKAGES
chroot "$root" dkms status
find "$root/lib/modules/$release/updates/dkms" -name 'nvidia-current.ko*' | grep -q . || {
    echo "DKMS left no nvidia-current module for $release; its log:" >&2
    tail -n 20 "$root"/var/lib/dkms/*/*/build/make.log >&2 || :
    exit 1
}
