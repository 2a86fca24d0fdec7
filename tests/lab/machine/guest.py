"""What the lab writes into the system of a machine, beside what Debian's packages bring."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

from tests.lab.machine import boot_menu
from tests.lab.machine.boot_menu import ROOT_UUID
from tests.lab.machine.kinds import Kind

ESP_SERIAL = "5EC0B001"
# QEMU's user network: the machine that runs QEMU answers at .2, its name service at .3.
OUTER, NAMES = "10.0.2.2", "10.0.2.3"
LOOPBACK = re.compile(r"(?<=//)(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?=[:/\"\s]|$)")

NETWORK = f"""[Match]
Type=ether

[Network]
Address=10.0.2.15/24
Gateway={OUTER}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
UNIT = """[Unit]
Description=Take what belongs to this one host from the second disk
DefaultDependencies=no
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
Requires=dev-disk-by\\x2did-virtio\\x2dlab.device
After=dev-disk-by\\x2did-virtio\\x2dlab.device systemd-remount-fs.service
Before=sysinit.target

[Service]
Type=oneshot
ExecStart=tar --extract --directory=/ --file=/dev/disk/by-id/virtio-lab
ExecStart=hostname --file /etc/hostname
"""
FSTAB = f"""UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1
UUID={ESP_SERIAL[:4]}-{ESP_SERIAL[4:]} /boot/efi vfat umask=0077,nofail 0 1
"""
# For this one machine alone, as the installer offers it: an initramfs with every driver takes minutes in emulation.
INITRAMFS = {
    "etc/initramfs-tools/conf.d/lab": "MODULES=list\nBUSYBOX=n\nCOMPRESSLEVEL=1\nRESUME=none\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
}
PATIENCE = """[Manager]
DefaultTimeoutStartSec=10min
DefaultDeviceTimeoutSec=10min
"""
FILES = {
    **INITRAMFS,
    **boot_menu.files(),
    "etc/fstab": FSTAB,
    "etc/systemd/network/80-lab.network": NETWORK,
    "etc/systemd/system.conf.d/lab.conf": PATIENCE,
    "etc/systemd/system/lab-host.service": UNIT,
}
# The one that the signed GRUB looks for on the EFI system partition.
FIRST_MENU = f"search.fs_uuid {ROOT_UUID} root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
ENABLED = {"lab-host.service": "sysinit.target.wants"}
# What the first boot of a disk rebuilds, and GRUB's memory of failed ones: a quarter of a boot in emulation.
MASKED = (
    "systemd-networkd-wait-online.service",
    "ldconfig.service",
    "systemd-journal-catalog-update.service",
    "grub-common.service",
)


def from_inside(text: str) -> str:
    """Replaces this machine's loopback addresses, which mean something else in the guest, by the one that it sees."""
    return LOOPBACK.sub(OUTER, text)


def write(folder: Path, kind: Kind) -> None:
    """Writes the files into ``folder``, which stands for /."""
    for name, text in {**FILES, **kind.files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    units = folder / "etc/systemd/system"
    for unit, wants in ENABLED.items():
        (units / wants).mkdir(exist_ok=True)
        (units / wants / unit).symlink_to(f"../{unit}")
    for unit in (*MASKED, *kind.masked):
        (units / unit).symlink_to("/dev/null")


def pack(folder: Path, archive: Path) -> None:
    """Packs the files below ``folder`` as root's; only /root/.ssh is packed as a folder, with its mode."""
    archive.touch(mode=0o600)
    with tarfile.open(archive, "w") as tar:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            entry = tarfile.TarInfo(name)
            entry.mode = path.stat().st_mode & 0o777
            if path.is_file():
                data = path.read_bytes()
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
            elif name == "root/.ssh":
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
