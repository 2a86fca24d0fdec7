# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a vGPU host need a reboot, why, and would its manager's module work after it?"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_reboot import can_load_now, reboot_reasons
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_files import MODPROBE
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_manager import loaded_version
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_loading import nouveau_reason


def vgpu_host_reboot(
    facts: dict[str, Any], plan: dict[str, Any], changed_paths: list[str] | None = None
) -> dict[str, Any]:
    """``{required, reasons: [sentences], blocked: [sentences], load_now}``; see RETURN of the filter.

    :param plan: of filter vgpu_host_plan for the same host; :param changed_paths: files that this run has changed
    """
    if plan["idle"]:
        return {"required": False, "reasons": [], "blocked": [], "load_now": False}
    reasons = reboot_reasons(facts, plan) if plan["method"] not in (None, "none") or plan["remove_runfile"] else []
    if plan["nouveau_first"]:
        reasons.append(nouveau_reason(plan["version"]))
    if plan["iommu"]:
        reasons.append("The IOMMU is in the kernel's command line, which counts from the next boot")
    if plan["state"] == "present" and loaded_version(facts) and MODPROBE in (changed_paths or []):
        reasons.append("The module's options have changed, and the module that is loaded has the old ones")
    return {
        "required": bool(reasons),
        "reasons": reasons,
        "blocked": _blocked(facts, plan) if reasons else [],
        "load_now": not reasons and plan["method"] not in (None, "none") and can_load_now(facts, plan),
    }


def _blocked(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    """A reboot takes the devices from under virtual machines, and it may find no module for the next kernel."""
    used = [row for row in (facts.get("mdev") or {}).get("devices") or [] if row.get("open_by")]
    blocked = []
    if used:
        who = sorted({row["open_by"][0].get("vm") or str(row["open_by"][0].get("program")) for row in used})
        blocked.append(f"Virtual machines use virtual GPUs of this host ({', '.join(who)}): shut them down first.")
    kernel, on_disk = facts.get("kernel") or {}, (facts.get("driver") or {}).get("on_disk") or {}
    following = kernel.get("next") or kernel.get("running")
    installed = plan["state"] == "present" and plan["method"] not in (None, "none") and not plan["installs"]
    if installed and not on_disk.get(following):
        blocked.append(
            f"Kernel {following} boots next and has no module of the vGPU manager: after the reboot no virtual GPU"
            " would come back. Install its headers, so that DKMS builds the module for it, or make another kernel boot."
        )
    return blocked
