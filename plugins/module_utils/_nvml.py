# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What NVML says of each GPU: asked in a process of its own, with a time-out."""

from __future__ import annotations

import json

from ansible_collections.gpufleet.nvidia.plugins.module_utils._nvml_probe import PROGRAM
from ansible_collections.gpufleet.nvidia.plugins.module_utils._pci import architecture
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout

VIRTUALIZATION = {0: "none", 1: "passthrough", 2: "vgpu", 3: "host_vgpu", 4: "host_vsga"}
ABSENT = {
    "available": False,
    "reason": None,
    "code": None,
    "driver_version": None,
    "cuda_driver_version": None,
    "version": None,
}


def parse_answer(text):
    """The probe's JSON object; {} for anything that is none."""
    try:
        answer = json.loads(text or "")
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def complete(gpus, pci):
    """NVML's rows with the architecture of the card at the same PCI address, and its modes by name."""
    devices = {function["address"]: function["device"] for function in pci}
    return [
        {
            **gpu,
            "architecture": architecture(devices[gpu.get("address")]) if gpu.get("address") in devices else None,
            "virtualization_mode": VIRTUALIZATION.get(gpu.get("virtualization_mode")),
        }
        for gpu in gpus
    ]


def observe(system, python, pci, loaded, timeout):
    """(nvml, gpus, partial): *partial* holds what a hang has kept from us.

    :param python: the target's Python, which runs the probe
    :param loaded: what _driver.observe_loaded gave: without a module there is nobody to ask
    :param timeout: seconds
    """
    if loaded is None:
        return {**ABSENT, "reason": "no NVIDIA kernel module is loaded"}, [], []
    try:
        result = system.run([python, "-"], timeout=timeout, data=PROGRAM)
    except CommandTimeout:
        reason = (
            f"NVML did not answer within {timeout:g} s: a GPU or its driver hangs; look for Xid lines in the kernel log"
        )
        return {**ABSENT, "reason": reason}, [], [{"source": "nvml", "reason": reason}]
    answer = parse_answer(result.out)
    if not answer:
        reason = f"the NVML probe ended with {result.rc}: {result.err.strip()[-200:]}"
        return {**ABSENT, "reason": reason}, [], [{"source": "nvml", "reason": reason}]
    gpus = complete(answer.pop("gpus", []), pci)
    return {**ABSENT, **answer}, gpus, []
