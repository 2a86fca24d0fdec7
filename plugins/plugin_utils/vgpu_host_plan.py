# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what a vGPU host needs: manager, IOMMU, modes, devices, what a reboot restores. Nothing touches the host."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import vgpu_host_files as files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import vgpu_host_manager as manager
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import vgpu_host_placement as place
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue, load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, note, ordered
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_kernels import target_kernels
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_names import for_kernels
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_runfile import is_package_built, is_registered
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import Choice, branch_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_driver import file_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_findings import (
    host_findings,
    iommu_works,
    manager_kernels,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_loading import loading, nouveau_first

DEFAULTS: dict[str, Any] = {
    "state": "present",
    "method": "auto",
    "driver": None,
    "requests": [],
    "devices": [],
    "device_state": "started",
    "policy": "pack",
    "mode": "auto",
    "config": None,
    "purge": False,
    "backend": "auto",
    "sriov_enabled": "auto",
    "iommu_enabled": False,
    "scheduler": None,
    "restore_enabled": True,
    "restore_timeout": 120,
    "platform": "auto",
    "mapping": None,
    "dkms_enabled": True,
    "signing_key": None,
    "signing_certificate": None,
}


def vgpu_host_plan(
    facts: dict[str, Any],
    wants: dict[str, Any],
    host: str = "localhost",
    program: dict[str, str] | None = None,
    catalogue: Catalogue | None = None,
) -> dict[str, Any]:
    """The plan of one host; see RETURN of the filter.

    :param facts: ``ansible_facts['nvidia']``
    :param wants: the role's variables without prefix; what is missing takes its default
    :param host: its name, of which the devices' UUIDs are made; :param program: texts of the restore program's files
    """
    catalogue = catalogue or load()
    wants = {**DEFAULTS, **wants}
    plan = _outline(facts, wants)
    wants = {**wants, "platform": plan["platform"]}
    if wants["state"] == "present" and not plan["idle"]:
        _manager(plan, facts, wants, catalogue)
        plan["iommu_declared"] = bool(wants["iommu_enabled"]) and _can_be_cut(facts)
        plan["iommu"] = plan["iommu_declared"] and not iommu_works(facts)
        plan["findings"] += host_findings(facts, wants, plan, catalogue)
        _devices(plan, facts, wants, host, program or {})
    elif wants["state"] == "absent":
        _absent(plan, facts, wants, host)
    plan["findings"] = ordered(plan["findings"])
    return plan


def _has_gpu(facts: dict[str, Any]) -> bool:
    return any(row.get("kind") == "gpu" for row in facts.get("pci") or [])


def _can_be_cut(facts: dict[str, Any]) -> bool:
    """Whether something is there that virtual GPUs can be made of, or could be once its driver runs."""
    return _has_gpu(facts) or bool((facts.get("mdev") or {}).get("cards"))


def is_idle(wants: dict[str, Any]) -> bool:
    """Whether nothing is declared: then the role leaves the host as it is."""
    asked = ("driver", "requests", "devices", "purge", "iommu_enabled", "scheduler", "mapping")
    return (
        wants["state"] == "present"
        and wants["method"] in ("auto", "none")
        and not any(wants[name] for name in asked)
        and wants["sriov_enabled"] not in place.ALWAYS
        and wants["platform"] != "proxmox"
    )


def _outline(facts: dict[str, Any], wants: dict[str, Any]) -> dict[str, Any]:
    proxmox = bool((facts.get("mdev") or {}).get("proxmox"))
    file = file_of(wants["driver"]) if wants["driver"] else None
    there = manager.manager_version(facts)
    method = manager.way_of(file, wants["method"])
    platform = wants["platform"] if wants["platform"] != "auto" else "proxmox" if proxmox else "kvm"
    return {
        "state": wants["state"],
        "idle": is_idle(wants),
        "platform": platform,
        "method": method,
        "build": "dkms" if wants["dkms_enabled"] else "runfile",
        "version": file["version"] if file and method != "none" else there,
        "installed": there,
        "kernels": target_kernels(facts, ["running"])[0],
        "header_packages": [],
        "build_packages": [],
        "package": None,
        "runfile": None,
        "installs": False,
        "nouveau_first": False,
        "remove_packages": [],
        "remove_runfile": False,
        "module_files": [],
        "iommu_declared": False,
        "iommu": False,
        "ready": False,
        "cards": [],
        "pending": False,
        "mapping": [],
        "devices": [],
        "device_state": wants["device_state"],
        "assignments": [],
        "surplus": [],
        "usage": [],
        "services": [],
        "restore_files": [],
        "restore": False,
        "findings": [],
    }


def _manager(plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any], catalogue: Catalogue) -> None:
    """The vGPU manager's file, and what its module is built with."""
    plan["module_files"] = files.module_files(True, wants["scheduler"]) if _has_gpu(facts) else []
    services = (facts.get("mdev") or {}).get("services") or {}
    plan["services"] = sorted(name for name, row in services.items() if row.get("present"))
    if plan["method"] in (None, "none") or not wants["driver"]:
        return
    file = file_of(wants["driver"])
    source = {key: file[key] for key in ("src", "remote_src", "sha256", "version")}
    if plan["installed"] == plan["version"] and _modules_are_there(facts, plan):
        return
    plan["installs"] = True
    branch = branch_of(plan["version"]) if plan["version"] else 0
    plan["nouveau_first"] = plan["method"] == "runfile" and nouveau_first(facts, branch)
    if plan["method"] == "runfile":
        keys = {"signing_key": wants["signing_key"], "signing_certificate": wants["signing_certificate"]}
        plan["runfile"] = {
            **source,
            "dkms": bool(wants["dkms_enabled"]),
            **keys,
            **loading(facts, plan["kernels"], branch),
        }
    else:
        plan["package"] = {**source, "hold": True, "replaces": [manager.PACKAGES]}
    system = facts.get("system") or {}
    platform = catalogue.platform(system.get("distribution"), system.get("version"))
    if platform:
        choice = Choice({"series": "vgpu", "branch": branch, "branch_min": branch}, "proprietary")
        plan["header_packages"] = for_kernels(platform["headers"], choice, plan["kernels"])
        if plan["runfile"]:
            plan["build_packages"] = [*platform["build_packages"], *(["dkms"] if wants["dkms_enabled"] else [])]
    if plan["nouveau_first"]:
        plan["runfile"] = None
    plan["findings"] += [*manager.change_findings(facts, plan), *manager_kernels(facts, plan)]


def _modules_are_there(facts: dict[str, Any], plan: dict[str, Any]) -> bool:
    on_disk = (facts.get("driver") or {}).get("on_disk") or {}
    there = all((on_disk.get(kernel) or {}).get("version") == plan["version"] for kernel in plan["kernels"])
    return there and (is_registered(facts, plan) if plan["method"] == "runfile" else is_package_built(facts, plan))


def is_ready(facts: dict[str, Any], plan: dict[str, Any]) -> bool:
    """Whether devices can be made now: the declared manager is the one that runs, and no reboot is due before."""
    if plan["installs"] or plan["iommu"]:
        return False
    return not plan["version"] or not _has_gpu(facts) or manager.loaded_version(facts) == plan["version"]


def _not_loaded(facts: dict[str, Any], plan: dict[str, Any]) -> dict[str, str]:
    loaded = manager.loaded_version(facts)
    seen = f"{loaded} is loaded" if loaded else "no module of it is loaded"
    text = (
        f"The vGPU manager {plan['version']} is installed, and {seen}: no card can be cut. Reboot the host, or read its"
        " kernel log for why the module does not load."
    )
    return error("manager_not_loaded", text)


def _devices(
    plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any], host: str, program: dict[str, str]
) -> None:
    plan["ready"] = is_ready(facts, plan)
    if not plan["ready"]:
        if wants["requests"] or wants["devices"]:
            text = (
                "Which card carries what is decided once the vGPU manager runs: until then no card says what it takes."
            )
            plan["findings"].append(note("placement_later", text))
        if plan["method"] == "none" and not plan["iommu"]:
            plan["findings"].append(_not_loaded(facts, plan))
        return
    if any(row["severity"] == "error" for row in plan["findings"]):
        return  # A host without cards would be told twice.
    part = place.placement(facts, wants, host)
    proxmox = plan["platform"] == "proxmox"
    plan["findings"] += part["findings"]
    plan["cards"], plan["pending"] = part["cards"], part["pending"]
    plan["surplus"], plan["usage"] = part["surplus"], part["usage"]
    if proxmox:
        part = {**part, "assignments": [], "devices": []}
        plan["mapping"] = place.parents_of(facts) if wants["mapping"] else []
    plan["assignments"], plan["devices"] = part["assignments"], part["devices"]
    plan["restore"] = bool(wants["restore_enabled"]) and bool(part["cards"] or part["assignments"])
    state = place.state_of(facts, wants, part) if plan["restore"] else None
    plan["restore_files"] = files.restore_files(state, program)


def _absent(plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any], host: str) -> None:
    """What the role has written goes, and so do the declared devices; the manager where vgpu_host_driver names one."""
    part = place.placement(facts, wants, host) if place.offers_types(facts) else {**place.EMPTY}
    rows = part["kept"] if plan["platform"] != "proxmox" else []
    plan["assignments"] = rows
    plan["devices"] = [{name: row[name] for name in ("uuid", "parent")} for row in rows]
    plan["restore_files"] = files.restore_files(None, {})
    plan["module_files"] = files.module_files(False, None)
    if wants["driver"] and manager.is_manager(facts):
        packages = ((facts.get("driver") or {}).get("install") or {}).get("packages") or []
        plan["remove_packages"] = [row["name"] for row in packages if row["name"].startswith("nvidia-vgpu")]
        plan["remove_runfile"] = not plan["remove_packages"]
