"""What is inside of a stand-in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lab.runfile_stand_ins.kinds import CUDA, MACHINE, StandIn

HERE = Path(__file__).resolve().parent
GRIDD = HERE.parent / "gridd_stand_in"
MODULES = ("nvidia", "nvidia-modeset", "nvidia-uvm", "nvidia-drm")
LIBRARIES = ("libnvidia-ml", "libcuda", "libnvidia-cfg", "libnvidia-ptxjitcompiler", "libnvidia-glcore")
TREES = {"kernel": "NVIDIA", "kernel-open": "Dual MIT/GPL"}


def filled(name: str, values: dict[str, str]) -> str:
    """Gives a source file with every ``@WORD@`` of ``values`` replaced."""
    text = (HERE / name).read_text(encoding="utf-8")
    return re.sub(r"@([A-Z]+)@", lambda found: values.get(found[1], found[0]), text)


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def fill(wanted: StandIn, tree: Path, run: Callable[..., Any]) -> None:
    if wanted.kind == "cuda":
        fill_cuda(wanted, tree)
    else:
        fill_driver(wanted, tree, run)


def fill_driver(wanted: StandIn, tree: Path, run: Callable[..., Any]) -> None:
    values = {"VERSION": wanted.version, "KIND": wanted.kind, "MACHINE": MACHINE}
    write(tree / "nvidia-installer", filled("driver_installer_stand_in.sh", values), 0o755)
    write(tree / "daemon_stand_in.sh", filled("daemon_stand_in.sh", values), 0o755)
    write(tree / "gridd.conf.template", "# A stand-in for NVIDIA's template.\n#ServerAddress=\nFeatureType=0\n")
    for program in ("daemon", "smi"):
        text = (GRIDD / f"{program}_stand_in.py").read_text("utf-8")
        write(tree / f"gridd_{program}_stand_in.py", f"#!/usr/bin/python3\n{text}", 0o755)
    for folder, licence in TREES.items():
        source = tree / folder
        source.mkdir()
        for module in MODULES:
            write(source / f"{module}.c", filled("nvidia_module_stand_in.c", {**values, "LICENSE": licence}))
        write(source / "Kbuild", f"obj-m := {' '.join(f'{module}.o' for module in MODULES)}\n")
        write(source / "dkms.conf", dkms_conf(wanted.version))
    (tree / "libraries").mkdir()
    for library in LIBRARIES:
        target = tree / "libraries" / f"{library}.so"
        flags = ["-shared", "-nostdlib", "-fPIC", "-Wl,--build-id=none", f"-Wl,-soname,{library}.so.1"]
        run(["gcc", *flags, "-o", target, HERE / "library_stand_in.c"])


def dkms_conf(version: str) -> str:
    lines = ['PACKAGE_NAME="nvidia"', f'PACKAGE_VERSION="{version}"', 'AUTOINSTALL="yes"']
    lines.append('MAKE[0]="make -C ${kernel_source_dir} M=${dkms_tree}/nvidia/${PACKAGE_VERSION}/build modules"')
    lines.append('CLEAN="true"')
    for number, module in enumerate(MODULES):
        lines.append(f'BUILT_MODULE_NAME[{number}]="{module}"')
        lines.append(f'DEST_MODULE_LOCATION[{number}]="/kernel/drivers/video"')
    return "\n".join(lines) + "\n"


def fill_cuda(wanted: StandIn, tree: Path) -> None:
    _driver, nvcc, least = CUDA[wanted.version]
    major, minor = wanted.release.split(".")
    values = {
        "VERSION": wanted.version,
        "RELEASE": wanted.release,
        "NVCC": nvcc,
        "LEAST": str(least),
        "NUMBER": str(int(major) * 1000 + int(minor) * 10),
    }
    write(tree / "cuda-installer", filled("cuda_installer_stand_in.sh", values), 0o755)
    for name in ("cuda_uninstaller_stand_in.sh", "nvcc_stand_in.sh"):
        write(tree / name, filled(name, values), 0o755)
    write(tree / "cuda_h_stand_in.h", filled("cuda_h_stand_in.h", values))
    # The first update of a release carries its date there, as 11.8.20220929 does.
    sdk = f"{wanted.release}.20220929" if wanted.version.endswith(".0") else wanted.version
    version = {
        "cuda": {"name": "CUDA SDK", "version": sdk},
        "cuda_nvcc": {"name": "CUDA NVCC", "version": nvcc},
    }
    write(tree / "version.json", json.dumps(version, indent=3) + "\n")
