# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mediated devices of a host as values: what runs, what is defined, and what a caller declares."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_mdevctl as mdevctl
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_sysfs as sysfs
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_vendor as vendor
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import address, is_called

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

# uuid: None for a function of the vendor-specific interface, whose key is its address
Running = namedtuple("Running", "parent type name parameters iommu_group")
# running: Running or None; definitions: [Definition], one for each parent that has one
Device = namedtuple("Device", "running definitions")
# back_end: mdevctl, sysfs or vendor_vfio; type: an id, once it is resolved, and its name; parameters: None: as it is
Wanted = namedtuple("Wanted", "key uuid parent type name autostart parameters back_end")
ABSENT = Device(None, ())


def main_part(device):
    """The Running of a device, or else its first definition."""
    return device.running or device.definitions[0]


def observe(system):
    """{key: Device} of a host; the key is the UUID, or the function's address where there is none."""
    running = {row["uuid"] or row["parent"]: row for row in [*sysfs.devices(system), *vendor.devices(system)]}
    defined: dict = {}
    for definition in mdevctl.definitions(system):
        defined.setdefault(definition.uuid, []).append(definition)
    return {
        key: Device(_running(running.get(key)), tuple(defined.get(key, ()))) for key in sorted({*running, *defined})
    }


def _running(row):
    return Running(*(row[name] for name in Running._fields)) if row else None


def folder(key, running):
    """Where a running device is in sysfs."""
    return f"{vendor.FUNCTIONS}/{key}" if running.parent == key else f"{sysfs.DEVICES}/{key}"


def keyed(row, functions):
    """(key, uuid, parent) of a declared device.

    :param functions: addresses of functions with the vendor-specific interface
    """
    uuid, parent = (row.get("uuid") or "").strip().lower() or None, address(row.get("parent")) or None
    return (parent if parent in functions else uuid), uuid, parent


def means(wanted, running):
    """Whether a running device is of the type that is asked for, by id or by name."""
    return is_called(wanted, running.type, running.name)


def on_card(system, parent):
    """Every parent that shares a card with this one, itself among them."""
    card = sysfs.physical_function(system, parent)
    return {parent, card, *vendor.virtual_functions(system, card)}


def shown(device):
    """A Device as the diff has it."""
    running = device.running
    return {
        "running": {"parent": running.parent, "type": running.type, "parameters": running.parameters}
        if running
        else None,
        "defined": [
            {"parent": row.parent, "type": row.type, "autostart": row.autostart, "parameters": row.parameters}
            for row in device.definitions
        ],
    }
