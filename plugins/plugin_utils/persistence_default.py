# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: what of ours is on a host, so that the distribution's defaults return."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import persistence_unit as unit_files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import note
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.persistence_seen import Seen, is_loaded


def plan_disabled(plan: dict[str, Any], facts: dict[str, Any], seen: Seen) -> None:
    """Adds the steps back to the distribution's defaults; nothing of ours: no step.

    A unit that somebody has masked or disabled stays so: that was never the role's doing.
    """
    unit = plan["unit"]
    plan["unit_seen"] = seen.kind == "present"
    drop_in, link = unit_files.drop_in_path(unit), unit_files.link_path(unit)
    if seen.ours:
        plan["files"] = [{"path": path, "state": "absent"} for path in (f"{unit_files.FOLDER}/{unit}", link)]
        plan["stop"] = seen.active
        plan["steps"].append(f"Remove {unit}, which the role had written")
    elif seen.drop_in is not None:
        plan["files"] = [{"path": drop_in, "state": "absent"}]
        plan["steps"].append(f"Remove the drop-in of {unit}")
        if seen.boot == "enabled" and not seen.installable:
            plan["files"].append({"path": link, "state": "absent"})
            plan["steps"].append(f"Remove the link that starts {unit} at boot")
        if seen.active and is_loaded(facts) and not unit_files.same_command(seen.packaged, seen.effective):
            plan["stop"] = plan["start"] = True
            plan["steps"].append(f"Restart {unit} with the distribution's command line")
    elif seen.kind == "absent" and (facts.get("persistence") or {}).get("mode") == "legacy":
        plan["legacy"] = "disabled"
        plan["steps"].append("Turn the kernel's persistence mode off")
    if seen.kind == "masked":
        plan["findings"].append(note("persistence_masked", f"{unit} is masked on this host and stays so."))
