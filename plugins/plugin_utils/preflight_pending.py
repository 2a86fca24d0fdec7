# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles are going to do on a host, told from facts and plans: nothing is asked of the host."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_plan import cuda_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_verification import deviations
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.nccl_plan import nccl_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_wants import wants_of

Plan = dict[str, Any]


def by_role(wants: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The variables of each role without their prefix, short forms such as ``cuda: "12.6"`` among them."""
    asked, _findings = wants_of(wants)
    return {"nvidia_driver": asked.driver, "cuda": asked.cuda, "nccl": asked.nccl}


def plans_of(facts: dict[str, Any], stack: dict[str, Any], wants: dict[str, dict[str, Any]]) -> dict[str, Plan]:
    """The plans of the roles, in the order in which they run; :param wants: as by_role() gives them"""
    return {
        "nvidia_driver": stack.get("driver") or {},
        "cuda": cuda_plan(facts, stack, wants["cuda"]),
        "nccl": nccl_plan(facts, stack, wants["nccl"]),
    }


def pending(facts: dict[str, Any], plans: dict[str, Plan]) -> list[str]:
    """The roles that will change something on the host, in the order in which they run."""
    names = [name for name, plan in plans.items() if name != "nvidia_driver" and not plan.get("idle", True)]
    return (["nvidia_driver"] if is_driver_pending(facts, plans["nvidia_driver"]) else []) + names


def is_driver_pending(facts: dict[str, Any], plan: Plan) -> bool:
    """Whether the driver's role has something to do; a driver that is fixed (a vGPU guest's) is nobody's work here."""
    if not plan or plan.get("fixed") or not (plan.get("kernels") or plan.get("packages")):
        return False
    if plan.get("state") == "absent":
        return bool(plan.get("packages"))
    return bool(plan.get("upgrade") or deviations(facts, {**plan, "findings": []}))


def replaces_modules(facts: dict[str, Any], plan: Plan) -> bool:
    """Whether NVIDIA's modules are loaded and the plan wants others, or none."""
    loaded = (facts.get("driver") or {}).get("loaded")
    if not loaded:
        return False
    version = str(loaded.get("version") or "")
    return bool(
        plan.get("state") == "absent"
        or plan.get("upgrade")
        or (plan.get("version") and plan["version"] != version)
        or (plan.get("branch") and str(plan["branch"]) != version.split(".", maxsplit=1)[0])
        or (loaded.get("flavour") in ("open", "proprietary") and loaded["flavour"] != plan.get("flavour"))
    )


def has_errors(findings: list[dict[str, str]]) -> bool:
    return any(row["severity"] == "error" for row in findings)
