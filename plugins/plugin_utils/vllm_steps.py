# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done with the servers of a host, from what they shall be and what they are."""

from __future__ import annotations

from typing import Any


def steps_of(plan: dict[str, Any], seen: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The steps as sentences, and the names of the instances that they touch; others keep running.

    :param seen: ``{name: {digest, active, enabled}}`` of the instances that are on the host
    """
    steps, names = [], []
    gone = sorted(seen) if plan["state"] == "absent" else [name for name in plan["absent"] if name in seen]
    for name in gone:
        steps.append(f"Stop and remove the instance {name}")
        names.append(name)
    for row in plan["instances"]:
        step = _step(row, seen.get(row["name"]))
        if step:
            steps.append(step)
            names.append(row["name"])
    return steps, names


def _step(row: dict[str, Any], there: dict[str, Any] | None) -> str | None:
    name, serves = row["name"], row["state"] == "started"
    if there is None:
        return f"{'Start' if serves else 'Prepare'} the new instance {name}"
    is_active, is_same = bool(there.get("active")), there.get("digest") == row["digest"]
    if not is_same:
        verb = ("Restart" if is_active else "Start") if serves else "Write"
        return f"{verb} the instance {name} with new options"
    if is_active != serves:
        return f"{'Start' if serves else 'Stop'} the instance {name}"
    if there.get("enabled", serves) != serves:
        return f"{'Enable' if serves else 'Disable'} the instance {name}"
    return None
