# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person must know of a host's persistence: findings before a change, deviations after it."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.persistence_seen import branch, gpus_off, is_loaded

Finding = dict[str, str]
UVM_SINCE = 550


def skipped(reason: str) -> Finding:
    return note("persistence_skipped", reason)


def pending() -> Finding:
    return note(
        "persistence_pending",
        "No NVIDIA driver is installed yet, and without one there is nothing to keep initialised: the role persistenced"
        " does its work once the driver is there; list the role nvidia_driver before it.",
    )


def no_daemon(why: str, legacy_ok: bool) -> Finding:
    if legacy_ok:
        return warning(
            "persistence_legacy",
            f"No persistence daemon can run on this host ({why}): persistence mode is set in the kernel module, where"
            " it is deprecated and lost at the next boot; run the playbook after each boot.",
        )
    return error(
        "persistence_no_daemon",
        f"No persistence daemon can run on this host ({why}), and persistenced_legacy_ok is false: install"
        " nvidia-persistenced, or allow the kernel module's own persistence mode.",
    )


def refusals(facts: dict[str, Any], wants: dict[str, Any]) -> list[Finding]:
    number = branch(facts)
    if not wants["uvm_enabled"] or number is None or number >= UVM_SINCE:
        return []
    return [
        error(
            "persistence_uvm",
            f"persistenced_uvm_enabled is true, but nvidia-persistenced of branch {number} has no UVM persistence mode:"
            f" take a driver of branch {UVM_SINCE} or newer, or leave the variable out.",
            "nvidia-persistenced(1) of 535 and 550",
        )
    ]


def deviations(plan: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """Where the host is not what was declared, as sentences; what waits for a driver or for a reboot is not counted."""
    if plan["pending"]:
        return []
    left = [f"Still to be done: {step}. Run the role persistenced again." for step in plan["steps"]]
    if plan["state"] == "disabled" or plan["skipped"]:
        return left
    off, nvml = gpus_off(facts), facts.get("nvml") or {}
    if off:
        unit = (facts.get("persistence") or {}).get("unit") or {}
        state = f"is {unit.get('active_state')}, result {unit.get('result')}" if unit else "does not exist"
        left.insert(
            0,
            f"Persistence mode is off on GPU {listed(off)} as NVML sees it, although it is declared on ({plan['unit']}"
            f" {state}): read `journalctl -u {plan['unit']}` on the host.",
        )
    elif is_loaded(facts) and not nvml.get("available") and (facts.get("coherence") or {}).get("verdict") == "coherent":
        left.append(
            f"Persistence mode cannot be verified, because NVML does not answer ({nvml.get('reason')}): install"
            " nvidia-ml-py for the target's Python, or run the role nvidia_driver, which does."
        )
    return left
