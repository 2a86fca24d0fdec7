# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of place a machine is for its GPUs."""

from __future__ import annotations


def place(container, hypervisor, pci, gpus, mdev_parents):
    """bare_metal, passthrough, vgpu_guest, vgpu_host or container.

    :param container: kind of the container, None outside of one: there the kernel's modules are somebody else's
    :param pci: NVIDIA functions; :param gpus: NVML's rows, [] when NVML did not answer
    :param mdev_parents: PCI addresses below /sys/class/mdev_bus
    """
    modes = {gpu.get("virtualization_mode") for gpu in gpus}
    if container:
        return "container"
    if "vgpu" in modes:
        return "vgpu_guest"
    cards = {function["address"] for function in pci if function["kind"] == "gpu"}
    if modes & {"host_vgpu", "host_vsga"} or cards & set(mdev_parents) or any(row["virtual_functions"] for row in pci):
        return "vgpu_host"
    return "passthrough" if hypervisor else "bare_metal"
