# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is what is installed what the plan says, whichever way it came: packages with their holds, or NVIDIA's runfile?"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import RERUN, listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import is_installed


def installation(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    """Where it is not; sentences."""
    return _runfile(facts, plan) if plan["runfile"] else _packages(facts, plan)


def packages_of(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The installed driver packages, by name."""
    install = (facts.get("driver") or {}).get("install") or {}
    return {row["name"]: row for row in install.get("packages") or [] if is_installed(row)}


def _packages(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    there = packages_of(facts)
    found = []
    missing = [name for name in plan["packages"] if name not in there]
    if missing:
        found.append(f"The packages {listed(missing)} are not installed: {RERUN}.")
    conflicting = [name for name in plan["remove"] if name in there]
    if conflicting:
        found.append(f"The packages {listed(conflicting)} of another driver are still installed: {RERUN}.")
    upstream = {
        _upstream(there[name]["version"]) for name in plan["packages"] if name in there and there[name].get("version")
    }
    moving = [
        name for name, row in there.items() if _upstream(row.get("version") or "") in upstream and not row.get("held")
    ]
    if plan["hold"] and moving:
        found.append(
            f"The packages {listed(sorted(moving))} are not held, so an upgrade could move them away from the rest:"
            f" {RERUN}."
        )
    return found


def _runfile(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    there, install = packages_of(facts), (facts.get("driver") or {}).get("install") or {}
    found = []
    if there:
        found.append(f"The driver packages {listed(sorted(there))} are installed besides the runfile's: {RERUN}.")
    if not install.get("runfile"):
        found.append(f"No driver of NVIDIA's runfile is installed, but {plan['version']} is declared: {RERUN}.")
    return found


def _upstream(version: str) -> str:
    """``1:535.261.03-1`` → ``535.261.03``."""
    return version.split(":")[-1].split("-")[0]
