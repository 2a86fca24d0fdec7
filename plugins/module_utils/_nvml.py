# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What NVML says of each GPU: asked in a process of its own, with a time-out, while other things are read."""

from __future__ import annotations

import json

from ansible_collections.gpufleet.nvidia.plugins.module_utils._nvml_probe import probe
from ansible_collections.gpufleet.nvidia.plugins.module_utils._pci import architecture

VIRTUALIZATION = {0: "none", 1: "passthrough", 2: "vgpu", 3: "host_vgpu", 4: "host_vsga"}
ARCHITECTURES = {
    2: "kepler",
    3: "maxwell",
    4: "pascal",
    5: "volta",
    6: "turing",
    7: "ampere",
    8: "ada",
    9: "hopper",
    10: "blackwell",
    13: "rubin",
}
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
    """NVML's rows with the architecture by PCI id, else NVML's own, and modes by name."""
    cards = {function["address"]: function["device"] for function in pci}
    rows = []
    for gpu in gpus:
        known = architecture(cards.get(gpu.get("address"), ""))
        rows.append(
            {
                **gpu,
                "architecture": known if known != "unknown" else ARCHITECTURES.get(gpu.get("architecture")),
                "virtualization_mode": VIRTUALIZATION.get(gpu.get("virtualization_mode")),
            }
        )
    return rows


def observe(system, pci, loaded, timeout):
    """What :func:`finish` gives, where there is nothing else to do meanwhile."""
    return finish(begin(system, loaded, timeout), pci, timeout)


def begin(system, loaded, timeout):
    """Asks NVML, and does not wait for the answer; None where there is nobody to ask.

    :param loaded: what _driver.observe_loaded gave: None without a module
    :param timeout: seconds
    """
    return None if loaded is None else system.begin(probe, timeout)


def finish(begun, pci, timeout):
    """(nvml, gpus, partial) when the answer is there: *partial* says what a hang or a lost GPU has kept from us."""
    if begun is None:
        return {**ABSENT, "reason": "no NVIDIA kernel module is loaded"}, [], []
    told = begun.result()
    if told is None:
        hangs = f"NVML did not answer within {timeout:g} s: a GPU or its driver hangs"
        return _failed(f"{hangs}; look for Xid lines in the kernel log")
    answer = parse_answer(told)
    if not answer or answer.pop("failed", False):
        return _failed(answer.get("reason") or "the NVML probe died without an answer")
    gpus = answer.pop("gpus", [])
    lost = [f"GPU {gpu['index']} does not answer: {gpu['error']}" for gpu in gpus if gpu.get("error")]
    sound = [{name: gpu[name] for name in gpu if name != "error"} for gpu in gpus if not gpu.get("error")]
    return {**ABSENT, **answer}, complete(sound, pci), [{"source": "nvml", "reason": reason} for reason in lost]


def _failed(reason):
    return {**ABSENT, "reason": reason}, [], [{"source": "nvml", "reason": reason}]
