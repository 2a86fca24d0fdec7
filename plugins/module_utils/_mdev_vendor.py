# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's vendor-specific VFIO interface: each virtual function carries one vGPU, and no mediated device is made.

The driver chooses it on newer kernels, for cards with SR-IOV. It is files below the function's folder ``nvidia``.
"""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_sysfs import last, number, value
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import parse_creatable, parse_pairs

FUNCTIONS = "/sys/bus/pci/devices"
VIRTUAL = re.compile(r"virtfn(\d+)", re.ASCII)


def functions(system):
    """Addresses of the virtual functions that take a type."""
    return [name for name in system.entries(FUNCTIONS) if system.exists(f"{FUNCTIONS}/{name}/nvidia/current_vgpu_type")]


def virtual_functions(system, card):
    """Addresses of a card's virtual functions, in the order of their numbers."""
    links = [VIRTUAL.fullmatch(name) for name in system.entries(f"{FUNCTIONS}/{card}")]
    ordered = sorted((found for found in links if found), key=lambda found: int(found[1]))
    return [last(system.link(f"{FUNCTIONS}/{card}/{found[0]}")) for found in ordered]


def creatable(system, function):
    """{id: name} of what a function takes now. A function that has a type takes none, and a full card's take less."""
    return parse_creatable(system.read(f"{FUNCTIONS}/{function}/nvidia/creatable_vgpu_types"))


def current(system, function):
    """The number of the type that a function has; 0 is none."""
    return number(value(system, f"{FUNCTIONS}/{function}/nvidia/current_vgpu_type")) or 0


def devices(system):
    """Each function that has a type, in the shape of _mdev_sysfs.devices; such a device has no UUID in sysfs."""
    rows = []
    for function in functions(system):
        base, chosen = f"{FUNCTIONS}/{function}", current(system, function)
        if chosen:
            text = value(system, f"{base}/nvidia/vgpu_params")
            rows.append(
                {
                    "uuid": None,
                    "parent": function,
                    "type": f"nvidia-{chosen}",
                    "name": None,
                    "parameters": parse_pairs(text) if text is not None else None,
                    "iommu_group": last(system.link(f"{base}/iommu_group")),
                }
            )
    return rows
