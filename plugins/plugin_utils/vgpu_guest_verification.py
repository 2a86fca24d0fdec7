# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a vGPU guest what was declared? Every deviation is a sentence: what was seen, what was declared, what to do."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import vgpu_driver as driver
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import guest_version
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_report import why


def vgpu_guest_verification(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    """Where the host is not what the plan of the role says; empty: it is.

    :param facts: ``ansible_facts['nvidia']``; :param plan: of filter vgpu_guest_plan for the same host
    """
    blockers = [row["text"] for row in plan["findings"] if row["severity"] == "error"]
    if blockers:
        return [f"The declaration cannot be met: {text}" for text in blockers]
    if plan["state"] == "absent":
        return _left_overs(facts, plan)
    return [*_driver(facts, plan), *_service(facts), *_tokens(facts), *_licence(facts), *_protection(facts, plan)]


def _left_overs(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    gridd = facts.get("gridd") or {}
    found = []
    if (gridd.get("service") or {}).get("active"):
        found.append("nvidia-gridd still runs, so that its licence has not been returned: stop it.")
    if gridd.get("tokens"):
        found.append(f"Tokens are still there: {listed([row['path'] for row in gridd['tokens']])}.")
    if (plan["remove_packages"] or plan["remove_runfile"]) and driver.is_grid(facts):
        found.append("The guest driver is still there.")
    return found


def _driver(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    there, seen = guest_version(facts), facts.get("driver") or {}
    if not driver.is_grid(facts):
        return ["No guest driver is installed: there is no /usr/bin/nvidia-gridd. Run the role again."]
    found = []
    if plan["version"] and there != plan["version"]:
        found.append(f"The guest driver is {there}, but {plan['version']} is declared. Run the role again.")
    loaded = seen.get("loaded")
    if not loaded:
        found.append("NVIDIA's module is not loaded: try modprobe nvidia on the host and read its kernel log.")
    elif there and loaded.get("version") != there:
        found.append(f"The loaded module is {loaded.get('version')}, but {there} is installed: reboot the host.")
    return found


def _service(facts: dict[str, Any]) -> list[str]:
    service = (facts.get("gridd") or {}).get("service") or {}
    if not service.get("present"):
        return ["The daemon nvidia-gridd has no unit: run the role again."]
    found = []
    if not service.get("active"):
        found.append("nvidia-gridd does not run: read journalctl --unit nvidia-gridd.service.")
    if not service.get("enabled"):
        found.append("nvidia-gridd is not started at boot: enable its unit.")
    return found


def _tokens(facts: dict[str, Any]) -> list[str]:
    rows = (facts.get("gridd") or {}).get("tokens") or []
    if len(rows) > 1:
        return [f"There are {len(rows)} tokens where one belongs: {listed([row['path'] for row in rows])}."]
    return [f"{row['path']} has expired: generate a new token." for row in rows if row.get("expired")]


def _licence(facts: dict[str, Any]) -> list[str]:
    gridd = facts.get("gridd") or {}
    state = gridd.get("state")
    return (
        []
        if state in ("licensed", "not_applicable")
        else [f"The state of the licence is {state}. {why(gridd)}".strip()]
    )


def _protection(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    apt = (facts.get("system") or {}).get("package_manager") == "apt"
    protects = any(row.get("state") != "absent" for row in plan["package_files"])
    if apt and protects and not (facts.get("grid") or {}).get("protected_by"):
        return ["Nothing keeps another driver's packages from replacing the guest driver: run the role again."]
    return []
