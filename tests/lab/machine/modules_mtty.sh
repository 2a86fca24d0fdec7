# Read by build_disk.sh. The kernel's own sample of a driver with mediated devices, mtty, from Debian's source of the very kernel
# that the disk boots.
# shellcheck shell=sh disable=SC2154 # root, release and work are build_disk.sh's
# shellcheck disable=SC2086,SC2016 # a list of names; words for a shell inside
chroot "$root" apt-get install -y --no-install-recommends "linux-headers-$release" $PACKAGES
source=linux-source-$(echo "$release" | cut -d. -f1-2)
version=$(chroot "$root" dpkg-query --show --showformat='${Version}' "linux-headers-$release")
mkdir "$root/mtty"
chroot "$root" sh -euc '
    cd /mtty
    apt-get -o APT::Sandbox::User=root download "$1=$2"
    dpkg-deb --fsys-tarfile ./*.deb | tar -xO "./usr/src/$1.tar.xz" |
        tar -xJO --occurrence=1 "$1/samples/vfio-mdev/mtty.c" >mtty.c
    echo "obj-m := mtty.o" >Makefile
    make -C "/lib/modules/$3/build" M=/mtty modules
    install -D -m 644 mtty.ko "/lib/modules/$3/updates/mtty.ko"
    depmod "$3"
' sh "$source" "$version" "$release"
rm -r "$root/mtty"
