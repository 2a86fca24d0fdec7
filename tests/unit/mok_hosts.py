"""A machine with Secure Boot like the one whose variables, keys and signatures were captured, and ways to change it."""

from __future__ import annotations

import lzma

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi
from tests.unit.captured import HERE, fixture
from tests.unit.fake_system import FakeSystem

KERNEL = "6.12.94+deb13-amd64"
FOLDER = f"/lib/modules/{KERNEL}/updates/dkms"
BOOT_ID = "29dadccf-6ba7-4fe1-a071-914b9aba9c3d"
DKMS_SHA1, DKMS_SERIAL = "8a1793128a31322feed7088f0ffc0f6547605801", "57221b2ec6c6a6ec6973badae80a2c3bcbad0137"
NAMES = ("nvidia-current", *(f"nvidia-current-{part}" for part in ("modeset", "drm", "uvm", "peermem")))
ATTRIBUTES = b"\x07\x00\x00\x00"


def captured(name: str) -> bytes:
    return (HERE / name).read_bytes()


DKMS = captured("efi/dkms.der")
SIGNED_BY_DKMS = b"module" + captured("modinfo/6.12-nvidia-current-peermem.signature")
SIGNED_BY_DEBIAN = b"module" + captured("modinfo/6.12-rapl.signature")


def files(**variables: bytes | None) -> dict[str, str | bytes]:
    """The machine as it was captured; *variables* are other bytes of EFI variables, None: there is none."""
    found: dict[str, str | bytes] = {
        "/proc/sys/kernel/osrelease": f"{KERNEL}\n",
        "/proc/sys/kernel/random/boot_id": f"{BOOT_ID}\n",
        "/proc/keys": fixture("proc/debian13-keys.txt"),
        "/sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
        "/sys/module/module/parameters/sig_enforce": "Y\n",
        "/sys/firmware/efi/runtime": "0x0\n",
        f"/boot/vmlinuz-{KERNEL}": "",
        f"/lib/modules/{KERNEL}/modules.dep": "kernel/x/rapl.ko.xz:\nkernel/y/z.ko.xz:\n",
        f"/lib/modules/{KERNEL}/kernel/x/rapl.ko.xz": lzma.compress(SIGNED_BY_DEBIAN),
        "/var/lib/dkms/mok.pub": DKMS,
    }
    found.update({f"{FOLDER}/{name}.ko.xz": lzma.compress(SIGNED_BY_DKMS) for name in NAMES})
    values: dict[str, bytes | None] = {name: captured(f"efi/{name}") for name in ("SecureBoot", "MokListRT", "db")}
    for name, value in {**values, **variables}.items():
        if value is not None:
            found[efi.path(name)] = value
    return found


def keys_with(certificate_id: str) -> str:
    """/proc/keys with one more key, as the firmware's are."""
    line = (
        f"0b67fd0d I------     1 perm 1f010000     0     0 asymmetri DKMS module signing key: {certificate_id}:"
        " X509.rsa d895cce5 []\n"
    )
    return fixture("proc/debian13-keys.txt").replace(".machine: 1", ".machine: 2") + line


def signature_list(*certificates: bytes) -> bytes:
    """What a variable with certificates has in it, each in a list of its own as shim writes them."""
    lists = (
        efi.LIST.pack(efi.X509, efi.LIST.size + efi.OWNER + len(body), 0, efi.OWNER + len(body))
        + bytes(efi.OWNER)
        + body
        for body in certificates
    )
    return ATTRIBUTES + b"".join(lists)


class CountingSystem(FakeSystem):
    """Remembers which files were read."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.opened: list[str] = []

    def read_bytes(self, path, limit=None):
        self.opened.append(path)
        return super().read_bytes(path, limit)
