# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices that a plan would take away or change while a program uses them."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_holders as holders
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_state import folder


def in_use(system, before, steps):
    """Sentences on devices that shall be removed or get parameters while a process has them open."""
    keys = sorted({step.key for step in steps if step.kind in ("stop", "set")})
    opened = holders.open_files(system) if keys else {}
    said = []
    for key in keys:
        running = before[key].running
        found = holders.holders(opened, holders.nodes(system, folder(key, running), running.iommu_group))
        if found:
            says = next(step.says for step in steps if step.key == key and step.kind in ("stop", "set"))
            who = ", ".join(holders.told(row) for row in found)
            said.append(f"Cannot {says[0].lower()}{says[1:]}: it is open in {who}. Stop that first, and run again.")
    return said
