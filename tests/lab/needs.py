"""What the lab needs from the machine that it runs on, and getting it there."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.lab.console import LabError, run, step

# A file that a package brings -> the package.
PROGRAMS = {
    "/usr/bin/mmdebstrap": "mmdebstrap",
    "/usr/bin/systemd-nspawn": "systemd-container",
    "/usr/bin/gcc": "gcc",
    "/usr/bin/gpg": "gnupg",
    "/usr/bin/makeself": "makeself",
    "/usr/include/stdio.h": "libc6-dev",
    "/usr/bin/ssh": "openssh-client",
    "/usr/bin/mount": "mount",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
# The same for machines. They are big, so they come only when such a host is asked for.
MACHINE_PROGRAMS = {
    "/usr/bin/qemu-system-x86_64": "qemu-system-x86",
    "/usr/bin/qemu-img": "qemu-utils",
    "/usr/share/OVMF/OVMF_VARS_4M.ms.fd": "ovmf",
    "/usr/bin/mcopy": "mtools",
    "/usr/sbin/mkfs.vfat": "dosfstools",
    "/usr/sbin/mkfs.ext4": "e2fsprogs",
    "/usr/sbin/sgdisk": "gdisk",
}
ELSEWHERE = "Your own hosts need no lab: name their inventory, `make site INVENTORY=path/to/inventory`."


def missing_packages(programs: dict[str, str] | None = None) -> list[str]:
    known = PROGRAMS if programs is None else programs
    return sorted({package for path, package in known.items() if not Path(path).exists()})


def refuse_unless_possible() -> None:
    """Raises LabError unless this is Linux, we are root and apt is here."""
    asks = "The lab starts Debian hosts in containers: it needs root on a Linux machine with apt (Debian or a relative)"
    if not sys.platform.startswith("linux"):
        raise LabError(f"{asks}, and this is {sys.platform}. {ELSEWHERE}")
    if os.geteuid() != 0:
        raise LabError(f"{asks}, and you are not root here. {ELSEWHERE}")
    if shutil.which("apt-get") is None:
        raise LabError(f"{asks}, and there is no apt-get here. {ELSEWHERE}")


def provide(log: Path, *, machines: bool = False) -> None:
    """Installs the Debian packages that are missing here, without their recommendations."""
    refuse_unless_possible()
    packages = missing_packages({**PROGRAMS, **MACHINE_PROGRAMS} if machines else PROGRAMS)
    if not packages:
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    wait = ["-o", "DPkg::Lock::Timeout=300"]
    with step(f"this machine: installing {', '.join(packages)}"):
        run(["apt-get", *wait, "update"], log=log, env=quiet)
        run(["apt-get", *wait, "install", "-y", "--no-install-recommends", *packages], log=log, env=quiet)
