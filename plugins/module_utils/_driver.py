# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's driver: what is loaded, what lies on disk for each kernel, which libraries, and how it came here."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _dkms_modules as dkms_modules
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _module_file as module_file
from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver_install import observe as observe_install

LOADED = re.compile(r"NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s")
MODULE = re.compile(r"(nvidia(?:-current(?:-open)?|-open|-(?:tesla|legacy)-\d+\w*)?)\.ko(?:\.xz|\.zst|\.gz)?")
DEPENDENCIES = re.compile(r"^(\S*/nvidia\S*?\.ko\S*):", flags=re.M)
LIBRARY = re.compile(r"libnvidia-ml\.so\.(\d+\.\d+(?:\.\d+)?)")
# Where distributions, NVIDIA's repository and its runfile put modules, best first.
MODULE_FOLDERS = (
    "updates/dkms",
    "updates",
    "extra",
    "weak-updates",
    "kernel/drivers/video",
    "extramodules",
    "extra/nvidia",
)
LIBRARY_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu/nvidia/current",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu/nvidia/current",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
)
OTHERS = ("nouveau", "nova", "nova_core", "nova_drm")
DKMS = dkms_modules.TREE


def parse_loaded(text):
    """(version, flavour) from /proc/driver/nvidia/version, whose two forms differ; None: no such line."""
    found = LOADED.search((text or "") + "\n")
    if not found:
        return None
    return found[1], "open" if "Open Kernel Module" in text else "proprietary"


def observe_loaded(system):
    parsed = parse_loaded(system.read("/proc/driver/nvidia/version"))
    version = parsed[0] if parsed else (system.read("/sys/module/nvidia/version") or "").strip()
    if not version:
        return None
    return {
        "version": version,
        "flavour": parsed[1] if parsed else "unknown",
        "taints": (system.read("/sys/module/nvidia/taint") or "").strip(),
        "modules": [name for name in system.entries("/sys/module") if re.fullmatch(r"nvidia(_\w+)?", name)],
    }


def find_module(system, release):
    """(name, path) of the main NVIDIA module for a kernel, or None."""
    base = f"/lib/modules/{release}"
    folders = [f"{base}/{folder}" for folder in MODULE_FOLDERS]
    folders += [f"{base}/kernel/{name}" for name in system.entries(f"{base}/kernel") if name.startswith("nvidia-")]
    for folder in folders:
        for name in system.entries(folder):
            found = MODULE.fullmatch(name)
            if found:
                return found[1], f"{folder}/{name}"
    for path in DEPENDENCIES.findall(system.read(f"{base}/modules.dep") or ""):  # what depmod found elsewhere
        found = MODULE.fullmatch(path.rsplit("/", 1)[-1])
        if found and system.exists(f"{base}/{path}"):
            return found[1], f"{base}/{path}"
    return None


def observe_on_disk(system, release):
    """What lies on disk for a kernel, or None.

    The main module is up to a hundred megabytes, and may be compressed: its small sibling nvidia-modeset comes from
    the same build with the same version, licence and key, and is read instead where it is there.
    """
    found = find_module(system, release)
    if found is None:
        return None
    name, path = found
    folder, file = path.rsplit("/", 1)
    sibling = f"{folder}/{name}-modeset{file[len(name) :]}"
    data = module_file.decompress(system, sibling if system.exists(sibling) else path)
    if data is None:
        return _by_modinfo(system, name, path, sibling if system.exists(sibling) else path)
    modinfo = module_file.parse_modinfo(data)
    return {
        "name": name,
        "path": path,
        "version": modinfo.get("version"),
        "flavour": module_file.flavour(modinfo),
        "signer": module_file.parse_signer(data),
    }


def _by_modinfo(system, name, path, asked):
    """For zstd, which Python cannot read before 3.14."""
    fields: dict[str, str] = {}
    for line in system.run(["modinfo", asked], timeout=20).out.splitlines():
        key, _colon, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    return {
        "name": name,
        "path": path,
        "version": fields.get("version"),
        "flavour": module_file.flavour(fields),
        "signer": fields.get("signer") or None,
    }


def observe_dkms(system):
    """What ``dkms status`` would say of NVIDIA's modules, read from the tree that it reads itself."""
    rows = []
    for module in system.entries(DKMS):
        if not module.startswith("nvidia"):
            continue
        installed = {
            (name[len("kernel-") :]): system.link(f"{DKMS}/{module}/{name}")
            for name in system.entries(f"{DKMS}/{module}")
            if name.startswith("kernel-")
        }
        for version in system.entries(f"{DKMS}/{module}"):
            source = f"{DKMS}/{module}/{version}/source"
            if system.exists(f"{source}/dkms.conf"):
                rows += _dkms_rows(system, module, version, installed)
            elif system.exists(source):  # the link is there, what it led to is gone
                rows.append(_dkms_row(module, version, "broken"))
    return rows


def _dkms_row(module, version, state, kernel=None, machine=None):
    return {"module": module, "version": version, "kernel": kernel, "machine": machine, "state": state}


def _dkms_rows(system, module, version, installed):
    base, rows = f"{DKMS}/{module}/{version}", []
    for kernel in system.entries(base):
        for machine in system.entries(f"{base}/{kernel}"):
            if not system.exists(f"{base}/{kernel}/{machine}/module"):
                continue
            link = installed.get(f"{kernel}-{machine}") or ""
            state = "installed" if link.split("/")[0] == version else "built"
            if state == "installed" and not _is_as_built(system, module, version, kernel):
                state = "differs"
            rows.append(_dkms_row(module, version, state, kernel, machine))
    return rows or [_dkms_row(module, version, "added")]


def _is_as_built(system, module, version, kernel):
    """Whether what is installed is what DKMS has built; the small sibling of the main module tells, as above.

    Where nothing of it is installed, what lies on disk tells that.
    """
    pairs = dkms_modules.pairs(system, module, version, kernel)
    if not any(path for _built, path in pairs):
        return True
    told = [pair for pair in pairs if "-modeset." in pair[0]] or pairs
    return all(path and dkms_modules.is_same(system, built, path) for built, path in told)


def observe_library(system):
    """The libnvidia-ml that programs get: by the loader's configured folders first, then by the usual ones."""
    for folder in [*_loader_folders(system), *LIBRARY_FOLDERS]:
        used = system.real(f"{folder}/libnvidia-ml.so.1")
        names = [name for name in system.entries(folder) if name.startswith("libnvidia-ml.so.")]
        for path in [used, *(f"{folder}/{name}" for name in names)]:
            found = LIBRARY.fullmatch(path.rsplit("/", 1)[-1])
            if found and (path != used or system.exists(path)):
                return {"version": found[1], "path": path}
    return None


def _loader_folders(system):
    base = "/etc/ld.so.conf.d"
    lines = [line for name in system.entries(base) for line in (system.read(f"{base}/{name}") or "").splitlines()]
    return [line.strip().rstrip("/") for line in lines if line.startswith("/")]


def observe_others(system, pci):
    """nouveau and nova: loaded, bound to a card, and kept from loading by modprobe.d."""
    folders = ("/etc/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
    texts = [system.read(f"{folder}/{name}") or "" for folder in folders for name in system.entries(folder)]
    return {
        "loaded": [name for name in OTHERS if system.exists(f"/sys/module/{name}")],
        "bound": [function["address"] for function in pci if function["driver"] in OTHERS],
        "blacklisted": any(re.search(r"^\s*blacklist\s+nouveau\s*$", text, flags=re.M) for text in texts),
    }


def observe(system, loaded, kernel, package_manager):
    """:param loaded: what observe_loaded gave; :param kernel: what _kernel.observe gave"""
    releases = {kernel["running"], kernel["next"], *(row["release"] for row in kernel["installed"])}
    return {
        "loaded": loaded,
        "on_disk": {release: observe_on_disk(system, release) for release in sorted(filter(None, releases))},
        "dkms": observe_dkms(system),
        "library": observe_library(system),
        "install": observe_install(system, package_manager),
    }
