"""The packages of the stand-in: NVIDIA's names for Debian, next to nothing inside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.lab.runfile_stand_ins.payload import HERE as SOURCES
from tests.lab.runfile_stand_ins.payload import MODULES, TREES, filled, write

VERSIONS = ("580.95.05", "580.105.08", "595.71.05")
BRANCHES = ("580", "595")
LIBRARIES = {"libnvidia-ml1": "libnvidia-ml", "libcuda1": "libcuda", "libnvidia-cfg1": "libnvidia-cfg"}
FOLDER = "usr/lib/x86_64-linux-gnu"


class Package(NamedTuple):
    """One binary package; ``fill`` lays its files into a folder."""

    name: str
    version: str
    depends: str
    fill: Callable[[Path, str], None]
    fields: str = ""
    source: str = "nvidia-driver"


def nothing(tree: Path, version: str) -> None:
    """For packages that only depend on others."""


def library(name: str, run: Callable[..., Any]) -> Callable[[Path, str], None]:
    def fill(tree: Path, version: str) -> None:
        folder = tree / FOLDER
        folder.mkdir(parents=True)
        flags = ["-shared", "-nostdlib", "-fPIC", "-Wl,--build-id=none", f"-Wl,-soname,{name}.so.1"]
        run(["gcc", *flags, "-o", folder / f"{name}.so.{version}", SOURCES / "library_stand_in.c"])
        (folder / f"{name}.so.1").symlink_to(f"{name}.so.{version}")

    return fill


def dkms(flavour: str) -> Callable[[Path, str], None]:
    """Source of modules that build for real and do nothing."""

    def fill(tree: Path, version: str) -> None:
        folder = tree / f"usr/src/nvidia-{version}"
        folder.mkdir(parents=True)
        licence = TREES["kernel-open" if flavour == "open" else "kernel"]
        for module in MODULES:
            text = filled("nvidia_module_stand_in.c", {"VERSION": version, "LICENSE": licence})
            write(folder / f"{module}.c", text)
        write(folder / "Kbuild", f"obj-m := {' '.join(f'{module}.o' for module in MODULES)}\n")
        write(folder / "dkms.conf", dkms_conf(version))
        control = tree / "DEBIAN"
        control.mkdir()
        write(
            control / "postinst",
            f'#!/bin/sh\nset -e\n[ "$1" != configure ] || dkms add -m nvidia -v {version} || true\n',
            0o755,
        )
        write(control / "prerm", f"#!/bin/sh\nset -e\ndkms remove -m nvidia -v {version} --all || true\n", 0o755)

    return fill


def dkms_conf(version: str) -> str:
    lines = ['PACKAGE_NAME="nvidia"', f'PACKAGE_VERSION="{version}"', 'AUTOINSTALL="yes"']
    lines.append(
        'MAKE[0]="make -C ${kernel_source_dir} M=${dkms_tree}/${PACKAGE_NAME}/${PACKAGE_VERSION}/build modules"'
    )
    lines.append('CLEAN="true"')
    for number, module in enumerate(MODULES):
        lines.append(f'BUILT_MODULE_NAME[{number}]="{module}"')
        lines.append(f'DEST_MODULE_LOCATION[{number}]="/updates/dkms"')
    return "\n".join(lines) + "\n"


def pin(version: str) -> Callable[[Path, str], None]:
    """apt's preferences, as a package of NVIDIA's brings them."""

    def fill(tree: Path, _version: str) -> None:
        folder = tree / "etc/apt/preferences.d"
        folder.mkdir(parents=True)
        names = "nvidia-* libnvidia-* libcuda1 cuda-drivers* firmware-nvidia-*"
        write(
            folder / f"nvidia-driver-pinning-{version}",
            f"Package: {names}\nPin: version {version}*\nPin-Priority: 1000\n",
        )

    return fill


def packages(run: Callable[..., Any]) -> list[Package]:
    """Every package in every version."""
    found = []
    for branch in BRANCHES:
        rest = "Provides: nvidia-driver-pinning\nConflicts: nvidia-driver-pinning\n"
        found.append(
            Package(
                f"nvidia-driver-pinning-{branch}",
                f"{branch}-1",
                "",
                pin(branch),
                rest,
                f"nvidia-driver-pinning-{branch}",
            )
        )
    for number in VERSIONS:
        version = f"{number}-1"
        found += [Package(name, version, "", library(soname, run)) for name, soname in LIBRARIES.items()]
        exact = ", ".join(f"{name} (= {version})" for name in LIBRARIES)
        module = f"nvidia-kernel-dkms (= {version}) | nvidia-kernel-open-dkms (= {version})"
        found.append(Package("nvidia-driver-cuda", version, f"{exact}, {module}", nothing))
        for name, flavour, other in (
            ("nvidia-kernel-dkms", "proprietary", "nvidia-kernel-open-dkms"),
            ("nvidia-kernel-open-dkms", "open", "nvidia-kernel-dkms"),
        ):
            found.append(Package(name, version, "dkms", dkms(flavour), f"Conflicts: {other}\n"))
    return found
