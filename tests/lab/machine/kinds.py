"""The kinds of machines that the lab has: the firmware, what is on the disk, and what people call them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.lab import image
from tests.lab.machine import boot_menu
from tests.lab.places import KINDS

FIRMWARE = Path("/usr/share/OVMF")
SCRIPTS = Path(__file__).parent
SECURE_BOOT, MEDIATED_DEVICES = KINDS[1:]


class Kind(NamedTuple):
    """``modules`` is the script that brings the kernel modules for which there is such a host, with ``packages``.

    ``maker`` of the processor: /proc/cpuinfo's vendor_id
    """

    title: str
    code: Path
    variables: Path
    qemu: tuple[str, ...]
    maker: str
    modules: Path
    packages: tuple[str, ...]
    components: str
    files: dict[str, str]
    masked: tuple[str, ...]


MACHINES = {
    # Microsoft's keys are in the variable store and Secure Boot is on, as a server leaves its factory.
    SECURE_BOOT: Kind(
        title="Secure Boot",
        code=FIRMWARE / "OVMF_CODE_4M.ms.fd",
        variables=FIRMWARE / "OVMF_VARS_4M.ms.fd",
        qemu=("-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"),
        maker="AuthenticAMD",
        modules=SCRIPTS / "modules_nvidia.sh",
        # What role nvidia_driver installs on Debian 13 for a card that wants the proprietary modules.
        packages=("nvidia-kernel-dkms", "nvidia-smi", "libcuda1", "libnvidia-ml1", "libnvidia-cfg1", "python3-pynvml"),
        components="main contrib non-free non-free-firmware",
        files={},
        # Loading NVIDIA's modules at every boot would fail in any case, for there is no card, and cost 15 s of
        # emulation: each of three tries hashes 88 MB.
        masked=("systemd-modules-load.service",),
    ),
    MEDIATED_DEVICES: Kind(
        title="mediated devices",
        code=FIRMWARE / "OVMF_CODE_4M.fd",
        variables=FIRMWARE / "OVMF_VARS_4M.fd",
        # It has VT-d, and its kernel waits to be told so, as most do; Debian's would take it by itself. What protects
        # the kernel of such a processor from its programs (nopti switches it off) would make the emulation slower.
        qemu=("-machine", "q35", "-device", "intel-iommu"),
        maker="GenuineIntel",
        modules=SCRIPTS / "modules_mtty.sh",
        packages=("make", "mdevctl", "xz-utils"),
        components=" ".join(image.mirror.COMPONENTS),
        # The second one is what a virtual machine needs to open a device.
        files={"etc/modules-load.d/mtty.conf": "mtty\nvfio_iommu_type1\n", **boot_menu.files("intel_iommu=off nopti")},
        masked=(),
    ),
}
