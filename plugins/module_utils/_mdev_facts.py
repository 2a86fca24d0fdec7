# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The subset mdev of the facts: a machine that has nothing of vGPU hosts is asked whether some files exist, no more."""

from __future__ import annotations

PARENTS = "/sys/class/mdev_bus"
MANAGER = (
    "/usr/bin/nvidia-vgpu-mgr",
    "/usr/bin/nvidia-vgpud",
    "/usr/lib/nvidia/sriov-manage",
    "/usr/share/nvidia/vgpu/vgpuConfig.xml",
)


def is_there(system, pci):
    """Whether something can make virtual GPUs, or the vGPU manager is installed.

    :param pci: the PCI facts; virtual functions among them may have the vendor-specific interface
    """
    functions = [row["address"] for row in pci if row["physical_function"]]
    return (
        bool(system.entries(PARENTS))
        or any(system.exists(path) for path in MANAGER)
        or any(system.exists(f"/sys/bus/pci/devices/{name}/nvidia/current_vgpu_type") for name in functions)
    )


def observe(system, pci, gpus):
    """The fact ``mdev``, None where there is nothing of it; see RETURN of mdev_facts.

    :param pci: the PCI facts; :param gpus: NVML's rows, [] when it did not answer
    """
    if not is_there(system, pci):
        return None
    # Loaded only here: reading these modules would cost every machine that is no vGPU host.
    from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_observe

    return _mdev_observe.observe(system, pci, gpus)
