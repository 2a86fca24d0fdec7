# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cards that can be cut into virtual GPUs: what they offer, through which interface, and in which mode they are."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_config as config
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_sysfs as sysfs
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_vendor as vendor
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import describe


def sriov(system, card):
    """``{total, enabled, functions}``, or None for a card without such functions."""
    base = f"{vendor.FUNCTIONS}/{card}"
    total = sysfs.number(sysfs.value(system, f"{base}/sriov_totalvfs"))
    if not total:
        return None
    functions = vendor.virtual_functions(system, card)
    return {
        "total": total,
        "enabled": sysfs.number(sysfs.value(system, f"{base}/sriov_numvfs")) or 0,
        "functions": functions,
    }


def types(system, parents, functions, supported):
    """The types of a card, by its parents' own lists and the vGPU manager's table.

    :param parents: those in mdev's sysfs; :param functions: those with the vendor-specific interface
    :param supported: {id: (name, MiB, most instances)} of the table
    """
    rows = {identity: describe(identity, name) for identity, (name, _size, _most) in supported.items()}
    names = {row[0]: row for row in sysfs.types(system, parents[0])} if parents else {}
    for identity, row in names.items():
        rooms = [sysfs.available(system, parent, identity) for parent in parents]
        known = [room for room in rooms if room is not None]
        rows[identity] = describe(*row, available=sum(known) if known else None)
    for function in functions:
        for identity, name in vendor.creatable(system, function).items():
            row = rows.setdefault(identity, describe(identity, name))
            row["available"] = (row["available"] or 0) + 1
    for identity, row in rows.items():
        size, most = supported.get(identity, (None, None, None))[1:]
        row["framebuffer_mib"] = row["framebuffer_mib"] or size
        row["max_instances"] = row["max_instances"] or most
        if row["available"] is None and functions:
            row["available"] = 0
    return [rows[identity] for identity in sorted(rows, key=lambda word: (len(word), word))]


def table(system, wanted):
    """The vGPU manager's table, which is only read where the kernel does not tell all."""
    return config.parse(system.read(config.PATH)) if wanted else ({}, [])


def observe(system, pci, gpus):
    """Each card; those without any interface are NVIDIA's GPUs that could have one, such as before SR-IOV is on.

    :param pci: the PCI facts; :param gpus: NVML's rows
    """
    mediated, functions = sysfs.parents(system), vendor.functions(system)
    owner = {name: sysfs.physical_function(system, name) for name in [*mediated, *functions]}
    rows = {row["address"]: row for row in pci if row["kind"] == "gpu" and not row["physical_function"]}
    told = {row.get("address"): row for row in gpus}
    parsed = table(system, any(owner.get(address) != address for address in rows))
    return [
        _card(system, address, rows.get(address), told.get(address) or {}, parsed, mediated, functions, owner)
        for address in sorted({*rows, *owner.values()})
    ]


def _card(system, address, row, told, parsed, mediated, functions, owner):
    parents = [name for name in mediated if owner[name] == address]
    special = [name for name in functions if owner[name] == address]
    supported = config.of_card(parsed, row["device"], row["subsystem"].partition(":")[2]) if row else {}
    return {
        "address": address,
        "kind": "gpu" if row else "other",
        "device": row["device"] if row else None,
        "name": told.get("name"),
        "framework": "vendor_vfio" if special else "mdev" if parents else "none",
        "parents": special or parents,
        "sriov": sriov(system, address) if row else None,
        "heterogeneous": (told.get("vgpu_host") or {}).get("heterogeneous"),
        "mig": told.get("mig"),
        "ecc": told.get("ecc"),
        "memory_mib": told.get("memory_mib"),
        "iommu_group": row["iommu_group"] if row else None,
        "types": types(system, parents, special, supported),
    }
