# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a vGPU host what was declared? Every deviation is a sentence: what was seen, what was declared, what to do."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_manager import loaded_version, manager_version

AGAIN = "Run the role again."


def vgpu_host_verification(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    """Where the host is not what the plan of the role says; empty: it is.

    :param facts: ``ansible_facts['nvidia']``; :param plan: of filter vgpu_host_plan for the same host
    """
    blockers = [row["text"] for row in plan["findings"] if row["severity"] == "error"]
    if blockers:
        return [f"The declaration cannot be met: {text}" for text in blockers]
    if plan["idle"]:
        return []
    if plan["state"] == "absent":
        return [f"{row['uuid'] or row['parent']} is still there: {AGAIN.lower()}" for row in plan["assignments"]]
    return [*_manager(facts, plan), *_modes(plan), *_devices(facts, plan)]


def _manager(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    if plan["method"] in (None, "none"):
        return []
    there, loaded = manager_version(facts), loaded_version(facts)
    if there is None:
        return [f"No vGPU manager is installed. {AGAIN}"]
    if plan["version"] and there != plan["version"]:
        return [f"The vGPU manager is {there}, but {plan['version']} is declared. {AGAIN}"]
    if loaded is None:
        return ["NVIDIA's module is not loaded: try modprobe nvidia on the host and read its kernel log."]
    found = [] if loaded == there else [f"The loaded module is {loaded}, but {there} is installed: reboot the host."]
    for name, row in sorted(((facts.get("mdev") or {}).get("services") or {}).items()):
        if row.get("present") and not row.get("active"):
            found.append(f"{name} does not run: read journalctl --unit {name}.")
    return found


def _modes(plan: dict[str, Any]) -> list[str]:
    if not plan["pending"]:
        return []
    names = ", ".join(row["address"] for row in plan["cards"])
    return [f"Functions or modes of {names} are not as the devices need them. {AGAIN}"]


def _devices(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    there = {row["uuid"] or row["parent"]: row for row in (facts.get("mdev") or {}).get("devices") or []}
    found = []
    for row in plan["assignments"]:
        seen = there.get(row["uuid"]) or there.get(row["parent"])
        if seen is None or not (seen["active"] or plan["device_state"] == "defined"):
            found.append(f"{row['uuid']} ({row['name'] or row['type']}) is not there. {AGAIN}")
        elif seen["type"] != row["type"] or seen["parent"] != row["parent"]:
            found.append(
                f"{row['uuid']} is a {seen['name'] or seen['type']} on {seen['parent']}, but"
                f" {row['name'] or row['type']} on {row['parent']} is declared. {AGAIN}"
            )
    return found
