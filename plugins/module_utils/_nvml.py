# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What NVML says of each GPU: asked in a process of its own, with a time-out."""

from __future__ import annotations

import json
import sys

from ansible_collections.gpufleet.nvidia.plugins.module_utils._nvml_probe import PROGRAM
from ansible_collections.gpufleet.nvidia.plugins.module_utils._pci import architecture
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout

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
SPARE = 5  # seconds that the probe itself has for saying that NVML hangs


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


def packages():
    """Folders with packages of the Python that runs: another one that is told them need not look for them anew.

    That look is what -S leaves out; it takes 5 ms, and 40 where packages hook into every start of Python.
    """
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]


def observe(system, python, pci, loaded, timeout):
    """(nvml, gpus, partial): *partial* says what a hang or a lost GPU has kept from us.

    :param python: the target's Python, which runs the probe
    :param loaded: what _driver.observe_loaded gave: without a module there is nobody to ask
    :param timeout: seconds
    """
    if loaded is None:
        return {**ABSENT, "reason": "no NVIDIA kernel module is loaded"}, [], []
    try:
        result = system.run([python, "-S", "-", f"{timeout:g}", *packages()], timeout=timeout + SPARE, data=PROGRAM)
    except CommandTimeout as exc:
        return _failed(f"the NVML probe hangs: {exc}")
    answer = parse_answer(result.out)
    if not answer or answer.pop("failed", False):
        return _failed(
            answer.get("reason") or f"the NVML probe ended with {result.rc}: {result.err.strip()[-200:] or 'no words'}"
        )
    gpus = answer.pop("gpus", [])
    lost = [f"GPU {gpu['index']} does not answer: {gpu['error']}" for gpu in gpus if gpu.get("error")]
    sound = [{name: gpu[name] for name in gpu if name != "error"} for gpu in gpus if not gpu.get("error")]
    return {**ABSENT, **answer}, complete(sound, pci), [{"source": "nvml", "reason": reason} for reason in lost]


def _failed(reason):
    return {**ABSENT, "reason": reason}, [], [{"source": "nvml", "reason": reason}]
