# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mediated devices in sysfs: parents, the types that they offer, and the devices that run."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import parse_pairs

PARENTS = "/sys/class/mdev_bus"
DEVICES = "/sys/bus/mdev/devices"


def value(system, path):
    """A sysfs attribute without its line end, or None."""
    text = system.read(path)
    return text.strip() if text is not None else None


def last(path):
    return path.rstrip("/").rsplit("/", 1)[-1] if path else None


def number(text):
    return int(text) if (text or "").isdigit() else None


def parents(system):
    """Names of the devices that mediated devices can be made on: PCI addresses, but also others."""
    return system.entries(PARENTS)


def physical_function(system, parent):
    """The card behind a virtual function; the parent itself where it is none."""
    return last(system.link(f"{PARENTS}/{parent}/physfn")) or last(
        system.link(f"/sys/bus/pci/devices/{parent}/physfn")
    ) or parent  # fmt: skip


def types(system, parent):
    """[(id, name, description)] that a parent offers; the name is the id where the driver gives none."""
    base, rows = f"{PARENTS}/{parent}/mdev_supported_types", []
    for identity in system.entries(base):
        name = value(system, f"{base}/{identity}/name")
        rows.append((identity, name or identity, value(system, f"{base}/{identity}/description")))
    return rows


def available(system, parent, identity):
    """Instances of a type that can be made on a parent now, or None."""
    return number(value(system, f"{PARENTS}/{parent}/mdev_supported_types/{identity}/available_instances"))


def devices(system):
    """Each running device: uuid, parent, type's id and name, parameters (None: it has none), IOMMU group."""
    rows = []
    for uuid in system.entries(DEVICES):
        base = system.real(f"{DEVICES}/{uuid}")
        identity = last(system.link(f"{base}/mdev_type"))
        text = value(system, f"{base}/nvidia/vgpu_params")
        rows.append(
            {
                "uuid": uuid,
                "parent": last(base.rsplit("/", 1)[0]),
                "type": identity,
                "name": value(system, f"{base}/mdev_type/name") or identity,
                "parameters": parse_pairs(text) if text is not None else None,
                "iommu_group": last(system.link(f"{base}/iommu_group")),
            }
        )
    return rows
