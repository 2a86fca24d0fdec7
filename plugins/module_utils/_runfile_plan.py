# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do so that the machine has what was asked for, and what is refused. Pure."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._runfile_header import NAMED, same_version
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# kind: obtain | install | modules | register | uninstall | delete; says: a sentence; data: what that one needs
Step = namedtuple("Step", "kind says data")

SOURCES = {"url": "Download", "controller": "Transfer", "host": None}


def plan_driver(asked, before, packages, module_type, dkms=None):
    """Steps for a driver.

    :param before: Driver or None; packages: names of packages that bring a driver; module_type: flavour asked for;
        dkms: whether DKMS shall have it, None: as the installer chose
    """
    if not asked.present:
        return _driver_removal(asked, before)
    refuse_packaged(packages)
    if before is None:
        return _obtained(asked, [Step("install", f"Install {NAMED[asked.kind]} {asked.version}", None)])
    if (before.kind, before.version) != (asked.kind, asked.version):
        old = f"{NAMED[before.kind]} {before.version or 'of unknown version'}"
        says = f"Install {NAMED[asked.kind]} {asked.version} in the place of {old}"
        return _obtained(asked, [Step("install", says, None)])
    flavours = {row[1] for row in before.kernels.values() if row}
    if module_type and flavours - {module_type, "unknown"}:
        others = " and ".join(sorted(flavours))
        says = f"Install {asked.version} again with {module_type} kernel modules instead of {others}"
        return _obtained(asked, [Step("install", says, None)])
    lacking = [kernel for kernel, row in before.kernels.items() if row is None or row[0] != asked.version]
    lost = [kernel for kernel in before.kernels if kernel not in lacking and _is_lost(before.dkms.get(kernel), dkms)]
    if dkms and not before.sources:
        says = f"Install {NAMED[asked.kind]} {asked.version} again, since the sources that DKMS builds it from are gone"
        return _obtained(asked, [Step("install", says, None)])
    steps = [Step("modules", f"Build the {asked.version} kernel modules for {kernel}", kernel) for kernel in lacking]
    again = [
        Step("register", f"Have DKMS install its {asked.version} kernel modules for {kernel}", kernel)
        for kernel in lost
    ]
    return [*(_obtained(asked, steps) if steps else []), *again]


def _is_lost(state, dkms):
    """Whether modules that are there are not, or not any more, those that DKMS has installed."""
    return state is False or (state is None and bool(dkms))


def refuse_packaged(packages):
    if packages:
        raise NvidiaError(
            f"Packages bring a driver to this host: {', '.join(packages)}. A runfile over them leaves two halves of "
            "two drivers. Remove them first (module driver_packages with state: absent; role nvidia_driver does that "
            "by itself for nvidia_driver_method: runfile). Nothing was changed."
        )


def _driver_removal(asked, before):
    if before is None or before.kind != asked.kind:
        return []
    if asked.version and before.version and not same_version(before.version, asked.version):
        return []
    return [Step("uninstall", f"Uninstall {NAMED[before.kind]} {before.version or ''}".rstrip(), None)]


def plan_toolkit(asked, before, recorded):
    """Steps for a toolkit.

    :param before: Toolkit; recorded: whether this module has installed it
    """
    if before.there and before.owners:
        raise NvidiaError(
            f"{before.path} belongs to packages: {', '.join(before.owners)}. Use them, or remove them first, or set "
            "toolkit_path to another folder. Nothing was changed."
        )
    if not asked.present:
        return _toolkit_removal(asked, before, recorded)
    if before.version and same_version(before.version, asked.version):
        return []
    if before.version:
        says = f"Install CUDA {asked.version} in {before.path} in the place of {before.version}"
        return _obtained(asked, [Step("install", says, "replace")])
    if before.there and not before.half:
        raise NvidiaError(
            f"{before.path} is there and is no CUDA toolkit. Move it away, or set toolkit_path to another folder. "
            "Nothing was changed."
        )
    steps = (
        [Step("delete", f"Remove what an interrupted installation left in {before.path}", None)] if before.there else []
    )
    return _obtained(asked, [*steps, Step("install", f"Install CUDA {asked.version} in {before.path}", "new")])


def _toolkit_removal(asked, before, recorded):
    if not before.there:
        return []
    if before.half:
        return [Step("delete", f"Remove what an interrupted installation left in {before.path}", None)]
    if before.version is None:
        if recorded:
            return [Step("delete", f"Remove what is left of the toolkit in {before.path}", None)]
        raise NvidiaError(f"{before.path} is no CUDA toolkit; it is left alone. Look at it, and remove it by hand.")
    if asked.version and not same_version(before.version, asked.version):
        return []
    return [Step("uninstall", f"Uninstall CUDA {before.version} from {before.path}", None)]


def _obtained(asked, steps):
    verb = SOURCES[asked.origin]
    return [Step("obtain", f"{verb} {asked.name}", None), *steps] if verb else steps


def predict_driver(before, steps, asked, module_type, kernels, dkms=None):
    """What the driver will be, as the diff shows it."""
    if any(step.kind == "uninstall" for step in steps):
        return describe_driver(None, dkms)
    state = describe_driver(before, dkms)
    if dkms and steps:
        state["dkms"] = sorted(kernels)
    for step in steps:
        if step.kind == "install":
            shown = module_type or "as the installer chooses"
            state.update(kind=asked.kind, version=asked.version)
            state["modules"] = dict.fromkeys(kernels, f"{asked.version} ({shown})")
        elif step.kind == "modules":
            flavours = {row[1] for row in before.kernels.values() if row} or {module_type or "as the installer chooses"}
            state["modules"][step.data] = f"{asked.version} ({sorted(flavours)[0]})"
    return state


def describe_driver(driver, dkms=None):
    """:param dkms: whether DKMS shall have it; then the kernels that it has installed the modules for are told"""
    if driver is None:
        return {"kind": None, "version": None, "modules": {}, **({"dkms": []} if dkms else {})}
    rows = {kernel: f"{row[0]} ({row[1]})" if row else "none" for kernel, row in driver.kernels.items()}
    has = {"dkms": sorted(kernel for kernel, state in driver.dkms.items() if state)} if dkms else {}
    return {"kind": driver.kind, "version": driver.version, "modules": rows, **has}


def predict_toolkit(before, steps, asked):
    kinds = {step.kind for step in steps}
    if "install" in kinds:
        return {"path": before.path, "version": asked.version}
    if kinds & {"uninstall", "delete"}:
        return {"path": before.path, "version": None}
    return describe_toolkit(before)


def describe_toolkit(toolkit):
    return {"path": toolkit.path, "version": toolkit.version}
