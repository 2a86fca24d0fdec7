# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What NVIDIA's installers have left on this machine: a driver, and toolkits."""

from __future__ import annotations

import json
import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import (
    _dkms_build,
    _driver,
    _driver_install,
    _runfile_dkms,
)

# kind: driver | grid | vgpu_manager; version; kernels: {release: (version, flavour) of the module on disk or None};
# dkms: {release: True: DKMS has installed it, False: it has and the files are others, None: it does not know}; sources:
# whether DKMS could build it
Driver = namedtuple("Driver", "kind version kernels dkms sources", defaults=[{}, False])

# path; version: "12.6.3", "12.6" or None when it is no toolkit; owners: packages that own the folder; half: interrupted
Toolkit = namedtuple("Toolkit", "path version owners half there")

BACKUP_LOG = "/var/lib/nvidia/log"
BACKUP_VERSION = re.compile(r"\((\d+\.\d+(?:\.\d+)?)\)|^(\d+\.\d+(?:\.\d+)?)$")
# Programs that only one kind of file brings.
TELLING = {
    "vgpu_manager": ("/usr/bin/nvidia-vgpu-mgr", "/usr/bin/nvidia-vgpud"),
    "grid": ("/usr/bin/nvidia-gridd",),
}
# Packages of GRID guests and vGPU hosts, beside those that every driver has.
VGPU_PACKAGE = re.compile(r"^Package: (nvidia-(?:linux-grid|vgpu)-\S+)$", flags=re.M)
ALTERNATE = "/usr/lib/nvidia/alternate-install-present"


def driver_kind(system):
    return next((kind for kind, paths in TELLING.items() if any(system.exists(path) for path in paths)), "driver")


def driver_version(system):
    """From the installer's own record of what it installed; its log may be that of an attempt that failed."""
    first = (system.read(BACKUP_LOG) or "").partition("\n")[0].strip()
    found = BACKUP_VERSION.search(first)
    if found:
        return found[1] or found[2]
    library = _driver.observe_library(system)
    return library["version"] if library else None


def observe_driver(system, kernels):
    """The driver that a runfile brought, as Driver, or None; *kernels* are the releases to look at."""
    if _driver_install.runfile(system) is None:
        return None
    version = driver_version(system)
    return Driver(
        driver_kind(system),
        version,
        modules(system, kernels),
        _runfile_dkms.registered(system, version, kernels),
        _runfile_dkms.has_sources(system, version),
    )


def modules(system, kernels):
    found = {kernel: _driver.observe_on_disk(system, kernel) for kernel in kernels}
    return {kernel: (row["version"], row["flavour"]) if row else None for kernel, row in found.items()}


def packaged(system):
    """Names of installed packages that bring a driver, whatever the package manager."""
    status = system.read("/var/lib/dpkg/status")
    manager = "apt" if status else next((m for m in ("zypper", "dnf", "pacman") if system.which(m)), None)
    names = [package["name"] for package in _driver_install.packages(system, manager)]
    for block in re.split(r"\n\n", status or ""):
        found = VGPU_PACKAGE.search(block)
        if found and re.search(r"^Status: \S+ \S+ installed$", block, flags=re.M):
            names.append(found[1])
    return sorted(set(names))


def target_kernels(system, asked):
    """The kernels to have modules for, the running one first."""
    if asked:
        return list(asked)
    running = (system.read("/proc/sys/kernel/osrelease") or "").strip()
    found = _dkms_build.default_kernels(system)
    return sorted(found, key=lambda release: release != running)


def toolkit_version(system, path):
    """``12.6.3`` of the toolkit in a folder, or None; an update 0 carries its date there: 12.6.20240801 is 12.6.0."""
    try:
        told = json.loads(system.read(f"{path}/version.json") or "{}")["cuda"]["version"]
    except (ValueError, KeyError, TypeError):
        text = system.read(f"{path}/version.txt") or ""
        found = re.search(r"CUDA Version (\d+\.\d+(?:\.\d+)?)", text)
        told = found[1] if found else None
    if not isinstance(told, str) or not re.fullmatch(r"\d+\.\d+(\.\d+)?", told):
        return nvcc_release(system, path)
    parts = told.split(".")
    return ".".join([*parts[:2], "0"]) if len(parts) == 3 and len(parts[2]) == 8 else told


def nvcc_release(system, path):
    if not system.exists(f"{path}/bin/nvcc"):
        return None
    found = re.search(r"release (\d+\.\d+)", system.run([f"{path}/bin/nvcc", "--version"], timeout=60).out)
    return found[1] if found else None


def owners(system, path):
    """Packages that own the folder; [] where there is none or no package manager knows."""
    if system.which("dpkg-query"):
        told = system.run(["dpkg-query", "-S", path])
        names = [line.split(": ")[0] for line in told.out.splitlines() if line.endswith(f": {path}")]
        return sorted({name.strip() for line in names for name in line.split(",")}) if told.rc == 0 else []
    if system.which("rpm"):
        told = system.run(["rpm", "-qf", "--qf", "%{NAME}\\n", path])
        return sorted(told.out.split()) if told.rc == 0 else []
    return []


def observe_toolkit(system, path, interrupted):
    """:param interrupted: folders into which an installation began and never ended."""
    if not system.exists(path):
        return Toolkit(path, None, [], False, False)
    half = path in interrupted
    version = toolkit_version(system, path) if system.exists(f"{path}/bin/nvcc") and not half else None
    return Toolkit(path, version, owners(system, path), half, True)
