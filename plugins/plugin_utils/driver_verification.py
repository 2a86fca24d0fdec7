# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the host what its plan says? Every deviation is a sentence: what was seen, what was declared, what to do."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import RERUN, listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_installation import installation
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_kernels import kernel_is_ours
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import branch_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_signatures import (
    asks_for_signatures,
    deviations_of_signatures,
)


def deviations(facts: dict[str, Any], plan: dict[str, Any], persistence: bool | None = None) -> list[str]:
    """Where the host is not what was declared; empty: it is.

    :param facts: ``ansible_facts['nvidia']``
    :param plan: the result of driver_plan for the same host
    :param persistence: whether persistence mode was declared on or off; None: not declared
    """
    blockers = [row["text"] for row in plan["findings"] if row["severity"] == "error"]
    if blockers:
        return [f"The declaration cannot be met: {text}" for text in blockers]
    if plan["state"] == "absent":
        return _left_overs(facts, plan)
    return [
        *installation(facts, plan),
        *_modules_on_disk(facts, plan),
        *deviations_of_signatures(facts, plan),
        *_loaded_module(facts, plan),
        *_library(facts, plan),
        *_other_drivers(facts),
        *_gpu_count(facts, plan),
        *_persistence(facts, persistence),
    ]


def _modules_on_disk(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    driver = facts.get("driver") or {}
    on_disk, dkms = driver.get("on_disk") or {}, driver.get("dkms") or []
    found = []
    for kernel in plan["kernels"]:
        rows = [row for row in dkms if row.get("kernel") == kernel]
        module = on_disk.get(kernel)
        if plan["build"] == "dkms" and not any(row["state"].startswith("installed") for row in rows):
            states = listed([f"{row['module']} {row['state']}" for row in rows])
            seen = f"dkms says {states}" if rows else "dkms has built nothing for it"
            found.append(
                f"{plan['module_name']} is not installed for kernel {kernel} ({seen}): check that its headers are"
                f" installed, read the make.log under /var/lib/dkms, then {RERUN}."
            )
        elif module is None:
            found.append(f"No NVIDIA module is on disk for kernel {kernel}: {RERUN}.")
        if module:
            found += [f"The module for kernel {kernel} is {text}: {RERUN}." for text in _differences(module, plan)]
    return found


def _differences(module: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    version, found = module.get("version"), []
    if version and plan["version"] and version != plan["version"]:
        found.append(f"version {version}, but {plan['version']} is declared")
    elif version and plan["branch"] and branch_of(version) != plan["branch"]:
        found.append(f"of branch {branch_of(version)}, but {plan['branch']} is declared")
    if module.get("flavour") in ("open", "proprietary") and module["flavour"] != plan["flavour"]:
        found.append(f"the {module['flavour']} one, but {plan['flavour']} is declared")
    return found


def _loaded_module(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    running = (facts.get("kernel") or {}).get("running")
    loaded, disk = (
        (facts.get("driver") or {}).get("loaded"),
        ((facts.get("driver") or {}).get("on_disk") or {}).get(running),
    )
    gpus = [row for row in facts.get("pci") or [] if row.get("kind") == "gpu"]
    if loaded:
        seen = _differences(loaded, plan)
        if disk and disk.get("version") and disk["version"] != loaded["version"] and not seen:
            seen = [f"version {loaded['version']}, but {disk['version']} is on disk"]
        return [
            f"The loaded module is {text}: reboot the host, or unload the old module when nothing uses it."
            for text in seen
        ]
    if not kernel_is_ours(facts) or not gpus or running not in plan["kernels"]:
        return []
    if deviations_of_signatures(facts, plan):
        return []  # which says why
    secure = (
        " The kernel asks for signatures: gpufleet.nvidia.mok_facts tells more." if asks_for_signatures(facts) else ""
    )
    return [f"No NVIDIA module is loaded: try modprobe nvidia on the host and read its kernel log.{secure}"]


def _library(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    driver = facts.get("driver") or {}
    library, loaded = driver.get("library"), driver.get("loaded")
    if not library:
        return [f"NVIDIA's user-space library libnvidia-ml is not found: {RERUN}."]
    if loaded and library.get("version") and library["version"] != loaded["version"]:
        return [
            f"The libraries are {library['version']}, but the loaded module is {loaded['version']}: every new GPU"
            " process fails with a driver/library version mismatch. Reboot the host, or reload the module when nothing"
            " uses it."
        ]
    if not loaded and library.get("version") and plan["branch"] and branch_of(library["version"]) != plan["branch"]:
        return [f"The libraries are {library['version']}, but branch {plan['branch']} is declared: {RERUN}."]
    return []


def _other_drivers(facts: dict[str, Any]) -> list[str]:
    nouveau, found = facts.get("nouveau") or {}, []
    if nouveau.get("bound"):
        found.append(
            f"nouveau or nova drives {listed(nouveau['bound'])}: reboot the host, its blacklist is honoured at boot."
        )
    elif nouveau.get("loaded") and kernel_is_ours(facts):
        found.append(
            f"{listed(nouveau['loaded'])} is still loaded: reboot the host, its blacklist is honoured at boot."
        )
    if nouveau.get("blacklisted") is False:
        found.append(f"Nothing keeps nouveau from loading: {RERUN}.")
    return found


def _gpu_count(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    loaded, nvml = (facts.get("driver") or {}).get("loaded"), facts.get("nvml")
    bound = [
        row
        for row in facts.get("pci") or []
        if row.get("kind") == "gpu" and not row.get("physical_function") and row.get("driver") != "vfio-pci"
    ]
    if not loaded or nvml is None:
        return []
    if not nvml.get("available") and nvml.get("code") is None and not plan["nvml_packages"]:
        return []
    if not nvml.get("available"):
        return [
            f"The module is loaded, but NVML does not answer ({nvml.get('reason') or 'no reason given'}): check"
            " nvidia-ml-py and the libraries."
        ]
    seen = len(facts.get("gpus") or [])
    if seen == len(bound):
        return []
    return [
        f"{len(bound)} GPUs are on the PCI bus for the host ({listed([row['address'] for row in bound])}), but the"
        f" driver shows {seen}: read the kernel log for Xid and NVRM lines of the missing ones."
    ]


def _persistence(facts: dict[str, Any], wanted: bool | None) -> list[str]:
    modes = {row.get("index"): row.get("persistence_mode") for row in facts.get("gpus") or []}
    wrong = [str(index) for index, mode in modes.items() if wanted is not None and mode is not None and mode != wanted]
    if not wrong:
        return []
    return [
        f"Persistence mode is {'off' if wanted else 'on'} on GPU {listed(wrong)}, but declared"
        f" {'on' if wanted else 'off'}: {RERUN} with the role persistenced."
    ]


def _left_overs(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    found = []
    loaded = (facts.get("driver") or {}).get("loaded")
    runfile = ((facts.get("driver") or {}).get("install") or {}).get("runfile")
    if plan["remove_runfile"] and runfile:
        found.append(f"NVIDIA's runfile has left its driver ({runfile['uninstaller']} is there): {RERUN}.")
    if plan["packages"]:
        found.append(f"The packages {listed(plan['packages'])} are still installed: {RERUN}.")
    if loaded and kernel_is_ours(facts):
        found.append(
            f"NVIDIA's module {loaded['version']} is still loaded although no driver is declared: reboot the host."
        )
    return found
