# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a vGPU guest need a reboot for its driver, why, and would the driver work after it?"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_reboot import can_load_now, reboot_reasons
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_loading import nouveau_reason


def vgpu_guest_reboot(facts: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """``{required, reasons: [sentences], blocked: [sentences], load_now}``; see RETURN of the filter.

    :param plan: of filter vgpu_guest_plan for the same host
    """
    if plan["nouveau_first"]:
        return {"required": True, "reasons": [nouveau_reason(plan["version"])], "blocked": [], "load_now": False}
    reasons = reboot_reasons(facts, plan)
    return {
        "required": bool(reasons),
        "reasons": reasons,
        "blocked": _blocked(facts, plan) if reasons else [],
        "load_now": not reasons and can_load_now(facts, plan),
    }


def _blocked(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    kernel, on_disk = facts.get("kernel") or {}, (facts.get("driver") or {}).get("on_disk") or {}
    following = kernel.get("next") or kernel.get("running")
    if plan["state"] == "absent" or on_disk.get(following):
        return []
    return [
        f"Kernel {following} boots next and has no NVIDIA module, while nouveau is kept from loading: after the reboot"
        " no driver would work. Install its headers, so that DKMS builds the module for it, or make another"
        " kernel boot."
    ]
