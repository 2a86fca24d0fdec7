# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which checks a host needs before the first change, and what is known without looking at it.

Pure: no clock, no files, no host. A host on which no role has anything to do is not looked at.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import ordered
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_secure_boot import (
    BUILT_HERE,
    asks_for_signatures,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.preflight_pending import (
    by_role,
    has_errors,
    pending,
    plans_of,
    replaces_modules,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.preflight_space import space
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.preflight_transactions import transactions

CHECKS = ("packages", "space", "lock", "holders", "signing", "iommu", "clock")
LOCK_TIMEOUT = 300
# Findings about a host without a driver, which nvidia_driver is about to install.
BEFORE_DRIVER = ("driver_libraries_come",)
DEFAULTS: dict[str, Any] = {
    "checks": list(CHECKS),
    "space_margin_mib": 64,
    "index_max_age": 86400,
    "iommu_required": None,
    "clock_required": None,
}


def preflight_plan(
    facts: dict[str, Any], stack: dict[str, Any], wants: dict[str, Any], options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """``{idle, pending, arguments, findings}``; see the documentation of the filter gpufleet.nvidia.preflight_plan.

    :param stack: the result of the filter gpufleet.nvidia.stack for the same facts and wants
    :param wants: the declared variables, as the lookup gpufleet.nvidia.wants gives them
    :param options: the variables of the role preflight without their prefix; what is missing takes its default
    """
    options = {**DEFAULTS, **(options or {})}
    asked = by_role(wants)
    plans = plans_of(facts, stack, asked)
    findings = list(stack.get("findings") or [])
    for plan in plans.values():
        findings += plan.get("findings") or []
    doing = pending(facts, plans)
    if "nvidia_driver" in doing:
        findings = [row for row in findings if row["code"] not in BEFORE_DRIVER]
    findings = ordered(findings)
    return {
        "idle": not doing and not has_errors(findings),
        "pending": doing,
        "arguments": {
            **arguments(facts, plans, doing, asked, options),
            "iommu": "iommu" in options["checks"] and is_asked(options["iommu_required"], needs_iommu(facts, wants)),
        },
        "findings": findings,
    }


def arguments(
    facts: dict[str, Any],
    plans: dict[str, dict[str, Any]],
    doing: list[str],
    wants: dict[str, dict[str, Any]],
    options: dict[str, Any],
) -> dict[str, Any]:
    """What the module `preflight` is to look for; :param wants: by role"""
    checks = options["checks"]
    driver = plans["nvidia_driver"]
    is_driver = "nvidia_driver" in doing
    return {
        "transactions": transactions(plans, doing, wants) if "packages" in checks else [],
        "index_max_age": options["index_max_age"],
        "lock": "lock" in checks,
        "lock_timeout": lock_timeout(doing, wants),
        "space": space(facts, plans, doing) if "space" in checks else [],
        "space_margin_mib": options["space_margin_mib"],
        "holders": holders(facts, driver, wants["nvidia_driver"]) if is_driver and "holders" in checks else "ignored",
        "signing": is_driver and "signing" in checks and needs_key(facts, driver),
        "clock": "clock" in checks and is_asked(options["clock_required"], needs_clock(facts)),
    }


def lock_timeout(doing: list[str], wants: dict[str, dict[str, Any]]) -> int:
    """Seconds that the least patient of the roles waits for the package manager."""
    return min([int(wants[role].get("lock_timeout", LOCK_TIMEOUT)) for role in doing], default=LOCK_TIMEOUT)


def holders(facts: dict[str, Any], plan: dict[str, Any], wants: dict[str, Any]) -> str:
    """How grave a program on the GPUs is: it stands in the way where its modules are replaced and nobody may reboot."""
    return "error" if replaces_modules(facts, plan) and not wants.get("reboot_ok") else "warning"


def needs_key(facts: dict[str, Any], plan: dict[str, Any]) -> bool:
    """Whether modules are built on the host with a key that is nobody's business here."""
    own = (plan.get("runfile") or {}).get("signing_key") or (plan.get("secure_boot") or {}).get("sign")
    enabled = asks_for_signatures(facts)
    return enabled and plan.get("state") == "present" and plan.get("build") in BUILT_HERE and not own


def needs_iommu(facts: dict[str, Any], wants: dict[str, Any]) -> bool:
    return facts.get("place") == "vgpu_host" or "vgpu_host" in wants


def needs_clock(facts: dict[str, Any]) -> bool:
    """A licensed guest: its licence is a token with a time in it."""
    return facts.get("place") == "vgpu_guest" or bool((facts.get("grid") or {}).get("installed"))


def is_asked(declared: bool | None, derived: bool) -> bool:
    """What was declared, otherwise what follows from the host."""
    return derived if declared is None else bool(declared)
