#!/bin/sh
# Builds the disk of a machine. Runs in mount and process namespaces of its own: nothing stays mounted, whatever happens.
# $1: the tree of a container image; $2: the folder to work in, with files/, apt/ and first_menu.cfg; $3: the package cache;
# $4: the script that brings the kernel modules.
set -eu
base=$1 work=$2 shelf=$3 modules=$4
root=$work/root
mount --make-rprivate /
mkdir "$work/upper" "$work/work" "$root"
mount -t overlay lab -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work" "$root"

# This machine keeps the devices and the network; the guest's own settings of both come last.
cp -a --no-preserve=ownership "$work/files/." "$root/"
cp /etc/resolv.conf "$root/etc/resolv.conf"
sed -i "s/^Components:.*/Components: $COMPONENTS/" "$root/etc/apt/sources.list.d/debian.sources"
rm -f "$root/etc/systemd/system/systemd-udevd.service" # the guest has a kernel of its own, and devices
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount --bind "$shelf" "$root/var/cache/apt/archives"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

release=$(basename "$(readlink "$root/vmlinuz")" | sed 's/^vmlinuz-//')
export DEBIAN_FRONTEND=noninteractive
chroot "$root" apt-get update
# shellcheck source=/dev/null
. "$modules"
chroot "$root" update-initramfs -u -k "$release"
chroot "$root" systemctl enable systemd-networkd.service serial-getty@ttyS0.service

rm "$root/usr/sbin/policy-rc.d"
rm -rf "$root"/var/lib/apt/lists/* "$root"/etc/ssh/ssh_host_*
cp "$work/apt/debian.sources" "$root/etc/apt/sources.list.d/debian.sources"
cp "$work/apt/90lab" "$root/etc/apt/apt.conf.d/90lab"
cp "$work/apt/resolv.conf" "$root/etc/resolv.conf"
cp "$work/files/boot/grub/grub.cfg" "$root/boot/grub/grub.cfg"
mkdir -p "$root/boot/efi"
umount "$root/var/cache/apt/archives" "$root/dev" "$root/proc"

# shellcheck disable=SC2153 # DISK, its file name, comes from the environment
disk=$work/$DISK
truncate -s 8G "$disk"
sgdisk --clear --new=1:1M:+64M --typecode=1:ef00 --new=2:65M:0 --typecode=2:8300 "$disk"
mkfs.vfat -F 32 -S 512 -s 1 --offset 2048 -i "$ESP_SERIAL" -n EFI "$disk" 65536
esp=$disk@@1M
mmd -i "$esp" ::EFI ::EFI/BOOT ::EFI/debian
mcopy -i "$esp" "$root/usr/lib/shim/shimx64.efi.signed" ::EFI/BOOT/BOOTX64.EFI
mcopy -i "$esp" "$root/usr/lib/shim/mmx64.efi.signed" ::EFI/BOOT/mmx64.efi
mcopy -i "$esp" "$root/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" ::EFI/BOOT/grubx64.efi
mcopy -i "$esp" "$work/first_menu.cfg" ::EFI/debian/grub.cfg
blocks=$(((8 * 1024 - 66) * 256)) # of 4 KiB; the last MiB is the partition table's copy
mkfs.ext4 -q -F -b 4096 -L lab-root -U "$ROOT_UUID" -E "offset=$((65 * 1024 * 1024))" -d "$root" "$disk" "$blocks"

umount "$root"
rm -rf "$work/upper" "$work/work" "$root" "$work/files" "$work/apt" "$work/first_menu.cfg"
