# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what a vGPU guest needs: driver, configuration, clock and licence. Nothing touches the host."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import vgpu_driver as driver
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import vgpu_files as files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue, load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import ordered
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_kernels import target_kernels
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_names import for_kernels
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_runfile import is_package_built, is_registered
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import Choice, branch_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import guest_version
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_findings import guest_findings
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_loading import loading, nouveau_first
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_profile import feature_number
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_release import host_findings

DEFAULTS: dict[str, Any] = {
    "state": "present",
    "driver": None,
    "method": "auto",
    "host_release": None,
    "purpose": "any",
    "feature_type": None,
    "token": None,
    "has_token_content": False,
    "conf_values": {},
    "conf_removed": [],
    "dkms_enabled": True,
    "protect_enabled": True,
    "time_sync_enabled": True,
}


def vgpu_guest_plan(facts: dict[str, Any], wants: dict[str, Any], catalogue: Catalogue | None = None) -> dict[str, Any]:
    """The plan of one host; see RETURN of the filter.

    :param facts: ``ansible_facts['nvidia']``
    :param wants: the role's variables without prefix; what is missing takes its default
    """
    catalogue = catalogue or load()
    wants = {**DEFAULTS, **wants}
    system = facts.get("system") or {}
    platform = catalogue.platform(system.get("distribution"), system.get("version"))
    plan = _outline(facts, wants, system.get("package_manager"))
    if wants["state"] == "present":
        _present(plan, facts, wants, platform)
        plan["findings"] += host_findings(_text(wants["host_release"]), plan["version"], catalogue)
    else:
        _absent(plan, facts, wants)
    plan["findings"] = ordered([*plan["findings"], *guest_findings(facts, wants, plan, system.get("package_manager"))])
    return plan


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _token(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """The options of the module gridd_token; None: the variable names no token."""
    if not given:
        return None
    path = given.get("path")
    return {
        "src": path or given.get("src"),
        "remote_src": bool(path),
        "url": given.get("url"),
        "ca_path": given.get("ca_path"),
    }


def _outline(facts: dict[str, Any], wants: dict[str, Any], manager: str | None) -> dict[str, Any]:
    file = driver.file_of(wants["driver"]) if wants["driver"] else None
    method = driver.method_of(file, wants["method"]) if file else None
    there = guest_version(facts) if driver.is_grid(facts) else None
    kernels, _found = target_kernels(facts, ["running"])
    protects = wants["state"] == "present" and wants["protect_enabled"]
    service = (facts.get("gridd") or {}).get("service") or {}
    return {
        "state": wants["state"],
        "method": method,
        "build": "dkms" if wants["dkms_enabled"] else "runfile",
        "version": file["version"] if file else there,
        "installed": there,
        "kernels": kernels,
        "header_packages": [],
        "build_packages": [],
        "package": None,
        "runfile": None,
        "remove_packages": [],
        "nouveau_first": False,
        "remove_runfile": False,
        "package_files": files.package_files(manager, protects),
        "module_files": files.module_files(wants["state"]),
        "unit_files": [],
        "conf_files": [],
        "feature_type": feature_number(wants["feature_type"]),
        "token": _token(wants["token"]),
        "has_token": bool(wants["token"] or wants["has_token_content"]),
        "restart": bool((facts.get("gridd") or {}).get("restart_pending")),
        "time_sync": False,
        "service_seen": bool(service.get("present")),
        "enable": not service.get("enabled"),
        "start": not service.get("active"),
        "findings": [],
    }


def _present(
    plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any], platform: dict[str, Any] | None
) -> None:
    gridd = facts.get("gridd") or {}
    service = gridd.get("service") or {}
    plan["time_sync"] = wants["time_sync_enabled"] and not (gridd.get("clock") or {}).get("source")
    if driver.is_grid(facts) or plan["method"] == "runfile":
        plan["unit_files"] = files.unit_files("present", not service.get("present") or bool(service.get("ours")))
    if not wants["driver"]:
        return
    file = driver.file_of(wants["driver"])
    plan["findings"] += driver.change_findings(facts, file, plan["method"])
    source = {key: file[key] for key in ("src", "remote_src", "sha256", "version")}
    branch = branch_of(plan["version"]) if plan["version"] else 0
    if plan["method"] in driver.MANAGERS:
        plan["package"] = {**source, "hold": wants["protect_enabled"], "replaces": [driver.PACKAGES]}
        if _package_is_there(facts, plan, wants):
            plan["package"] = None
    elif plan["method"] == "runfile" and not (plan["installed"] == plan["version"] and _module_is_there(facts, plan)):
        plan["runfile"] = {**source, "dkms": wants["dkms_enabled"], **loading(facts, plan["kernels"], branch)}
    if platform and (plan["package"] or plan["runfile"]):
        choice = Choice({"series": "grid", "branch": branch, "branch_min": branch}, "proprietary")
        plan["header_packages"] = for_kernels(platform["headers"], choice, plan["kernels"])
        if plan["runfile"]:
            plan["build_packages"] = [*platform["build_packages"], *(["dkms"] if wants["dkms_enabled"] else [])]
    if plan["runfile"] and nouveau_first(facts, branch):
        plan["runfile"], plan["nouveau_first"] = None, True


def _package_is_there(facts: dict[str, Any], plan: dict[str, Any], wants: dict[str, Any]) -> bool:
    package = (facts.get("grid") or {}).get("package")
    if not package or plan["installed"] != plan["version"]:
        return False
    return (bool(package.get("held")) or not wants["protect_enabled"]) and is_package_built(facts, plan)


def _module_is_there(facts: dict[str, Any], plan: dict[str, Any]) -> bool:
    on_disk = (facts.get("driver") or {}).get("on_disk") or {}
    there = all((on_disk.get(kernel) or {}).get("version") == plan["version"] for kernel in plan["kernels"])
    return there and is_registered(facts, plan)


def _absent(plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any]) -> None:
    """The licence goes back and what the role has written goes; the driver goes where vgpu_guest_driver names one."""
    if wants["driver"] and driver.is_grid(facts):
        plan["remove_packages"] = driver.grid_packages(facts)
        plan["remove_runfile"] = not plan["remove_packages"]
        conf = (facts.get("gridd") or {}).get("conf") or {}
        plan["conf_files"] = [files.absent(conf.get("path") or files.CONF)]
    if not driver.grid_packages(facts):
        plan["unit_files"] = files.unit_files("absent", False)
