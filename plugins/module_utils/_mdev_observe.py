# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vGPU host's part of the facts: cards, devices, mdevctl, the manager's services and the IOMMU."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _iommu
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_cards as cards
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_holders as holders
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_mdevctl as mdevctl
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_sysfs as sysfs
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_service import parse_units
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_state import folder, main_part
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_state import observe as observe_devices

UNITS = ("nvidia-vgpud.service", "nvidia-vgpu-mgr.service")
PROPERTIES = "Id,LoadState,UnitFileState,ActiveState,SubState,Result"
PROXMOX = "/usr/bin/qm"
MANAGER = ("/usr/bin/nvidia-vgpu-mgr", "/usr/bin/nvidia-vgpud")


def iommu(system):
    """``{enabled, groups, command_line, next_boot}``; see RETURN of mdev_facts.

    Mediated devices have groups without any IOMMU, so groups prove nothing.
    """
    words = (system.read("/proc/cmdline") or "").split()
    return {
        "enabled": bool(system.entries("/sys/class/iommu")),
        "groups": len(system.entries("/sys/kernel/iommu_groups")),
        "command_line": _iommu.about(words),
        "next_boot": _iommu.next_boot(system),
    }


def services(system):
    """{unit: {present, enabled, active, sub}} of the vGPU manager's services."""
    told = system.run(["systemctl", "show", *UNITS, f"--property={PROPERTIES}"], timeout=15)
    units = parse_units(told.out) if told.rc == 0 else {}
    rows = {}
    for name in UNITS:
        unit = units.get(name, {})
        rows[name] = {
            "present": unit.get("LoadState") == "loaded",
            "enabled": unit.get("UnitFileState") in ("enabled", "enabled-runtime", "static", "alias"),
            # nvidia-vgpud ends when it has told the driver the types: that is a success, and no failure.
            "active": unit.get("ActiveState") == "active"
            or (name == UNITS[0] and unit.get("SubState") == "dead" and unit.get("Result") == "success"),
            "sub": unit.get("SubState"),
        }
    return rows


def device_row(system, key, device, names, opened):
    """A device as the facts have it.

    :param names: {(card, id): name} of the types that are known
    """
    running, defined = device.running, device.definitions[0] if device.definitions else None
    kind = main_part(device)
    card = sysfs.physical_function(system, kind.parent)
    files = holders.nodes(system, folder(key, running), running.iommu_group) if running else set()
    return {
        "uuid": None if running and running.parent == key else key,
        "parent": kind.parent,
        "card": card,
        "type": kind.type,
        "name": (running.name if running else None) or names.get((card, kind.type)),
        "active": running is not None,
        "defined": defined is not None,
        "autostart": defined.autostart if defined else None,
        "parameters": kind.parameters,
        "iommu_group": running.iommu_group if running else None,
        "open_by": holders.holders(opened, files),
    }


def observe(system, pci, gpus):
    """The fact ``mdev``; see RETURN of mdev_facts.

    :param pci: the PCI facts; :param gpus: NVML's rows, [] when it did not answer
    """
    found = cards.observe(system, pci, gpus)
    names = {(card["address"], row["id"]): row["name"] for card in found for row in card["types"]}
    devices = observe_devices(system)
    opened = holders.open_files(system) if any(device.running for device in devices.values()) else {}
    return {
        "cards": found,
        "devices": [device_row(system, key, devices[key], names, opened) for key in sorted(devices)],
        "mdevctl": mdevctl.observe(system),
        "manager": any(system.exists(path) for path in MANAGER),
        "services": services(system),
        "iommu": iommu(system),
        "proxmox": system.exists(PROXMOX),
    }
