# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All observers in one round trip: what ansible_facts['nvidia'] is made of."""

from __future__ import annotations

import os
import sys
import time

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt_sources as apt_sources
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _cuda as cuda
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _driver as driver
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _grid as grid
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_facts as gridd
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _kernel as kernel
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_facts as mdev
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nccl as nccl
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nvml as nvml
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _os as os_facts
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _pci as pci
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _persistence as persistence
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _records as records
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _secure_boot as secure_boot
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_facts as vllm
from ansible_collections.gpufleet.nvidia.plugins.module_utils._coherence import coherence
from ansible_collections.gpufleet.nvidia.plugins.module_utils._place import place
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, NvidiaError, Result

TIMED_OUT = 124

SUBSETS = (
    "system",
    "kernel",
    "pci",
    "driver",
    "nvml",
    "persistence",
    "cuda",
    "nccl",
    "gridd",
    "secure_boot",
    "mdev",
    "vllm",
    "records",
)
NEEDS = {
    "kernel": ("system",),
    "pci": ("system",),
    "driver": ("system", "kernel", "pci"),
    "nvml": ("system", "kernel", "pci", "driver"),
    "persistence": ("system",),
    "cuda": ("system",),
    "nccl": ("system",),
    "gridd": ("system",),
    "secure_boot": ("system", "kernel"),
    "mdev": ("system", "pci"),
    "vllm": ("system",),
    "records": ("system",),
}
# Comes along as well, but can be left out: without NVML nobody knows the GPUs' mode and licences.
TAKES_ALONG = dict.fromkeys(("persistence", "gridd", "mdev"), ("kernel", "pci", "driver", "nvml"))


def wanted(subsets):
    """The subsets to gather: ``all``, names, and ``!name`` to leave one out, with those that need it.

    :raises NvidiaError: for a name that is none
    """
    unknown = sorted({word.lstrip("!") for word in subsets} - {*SUBSETS, "all"})
    if unknown:
        raise NvidiaError(f"gather_subset has {', '.join(unknown)}, which is none of all, {', '.join(SUBSETS)}.")
    out = {word[1:] for word in subsets if word.startswith("!")}
    named = {word for word in subsets if not word.startswith("!")} or {"all"}
    chosen = set(SUBSETS) if "all" in named else named
    chosen = chosen | {other for name in chosen for other in (*NEEDS.get(name, ()), *TAKES_ALONG.get(name, ()))}
    return [name for name in SUBSETS if name in chosen and not out & {name, *NEEDS.get(name, ())}]


class Patience:
    """A system whose programs may take too long: that is a failed one, and is noted in *partial*."""

    def __init__(self, system):
        self._system = system
        self.partial = []

    def __getattr__(self, name):
        return getattr(self._system, name)

    def run(self, argv, **options):
        try:
            return self._system.run(argv, **options)
        except CommandTimeout as exc:
            self.partial.append({"source": argv[0], "reason": str(exc)})
            return Result(TIMED_OUT, "", str(exc))


def probe(system, subsets, timeout=60, whole=False, folder=records.FOLDER):
    """What a facts module returns, of the machine and with the Python that it runs on; nothing is changed."""
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    user = {"python": python, "machine": os.uname().machine, "user_id": os.getuid()}
    found = gather(system, subsets, timeout=timeout, whole=whole, glibc=glibc(), folder=folder, **user)
    return {"changed": False, "ansible_facts": {"nvidia": found}}


def glibc():
    """The version of the C library, such as ``2.36``; None where it is another one than GNU's."""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").partition("glibc ")[2] or None
    except (OSError, ValueError):
        return None


def gather(
    system,
    subsets,
    python,
    machine,
    user_id,
    timeout,
    whole=False,
    glibc=None,
    clock=time.time,
    folder=records.FOLDER,
):
    """``ansible_facts['nvidia']``; see RETURN of gpu_facts for its shape.

    :param python: version of the Python that runs; :param machine: the processor's name
    :param timeout: seconds that NVML may take; :param glibc: version of the C library, where it is GNU's
    :param whole: read of Secure Boot also what takes seconds; :param clock: gives the seconds since the epoch
    :param folder: where the convergence records lie
    """
    names = wanted(subsets)
    patient = Patience(system)
    facts = {"gathered": names, "partial": patient.partial}
    loaded = driver.observe_loaded(system) if "driver" in names else None
    # NVML takes longer than all the rest: it is asked first, and what needs no answer of it is read meanwhile.
    asked = nvml.begin(system, loaded, timeout) if "nvml" in names else None
    if "system" in names:
        facts["system"] = {**os_facts.observe(system, python, user_id), "machine": machine, "glibc": glibc}
        facts["repositories"] = apt_sources.observe(system) if facts["system"]["package_manager"] == "apt" else []
    if "kernel" in names:
        facts["kernel"] = kernel.observe(system)
    if "pci" in names:
        facts["pci"] = pci.observe(system)
        facts["nouveau"] = driver.observe_others(system, facts["pci"])
    if "driver" in names:
        facts["driver"] = driver.observe(patient, loaded, facts["kernel"], facts["system"]["package_manager"])
        facts["grid"] = grid.observe(patient, facts["driver"]["install"])
    if "cuda" in names:
        facts["cuda"] = cuda.observe(patient, facts["system"]["package_manager"])
    if "nccl" in names:
        facts["nccl"] = nccl.observe(patient, facts["system"]["package_manager"])
    if "secure_boot" in names:
        facts["mok"] = secure_boot.observe(patient, facts["kernel"], whole)
    if "vllm" in names:
        facts["vllm"] = vllm.observe(patient)
    if "nvml" in names:
        facts["nvml"], facts["gpus"], partial = nvml.finish(asked, facts["pci"], timeout)
        patient.partial += partial
    if "persistence" in names:
        service_manager = facts["system"]["service_manager"]
        facts["persistence"] = persistence.observe(patient, facts.get("gpus", []), service_manager)
    if "gridd" in names:
        answered, version = facts.get("nvml", {}).get("available", False), loaded["version"] if loaded else None
        facts["gridd"] = gridd.observe(patient, facts.get("gpus", []), answered, version, clock)
    if "mdev" in names:
        facts["mdev"] = mdev.observe(patient, facts["pci"], facts.get("gpus", []))
    if "pci" in names:
        facts["place"] = place(
            facts["system"]["container"],
            facts["system"]["hypervisor"],
            facts["pci"],
            facts.get("gpus", []),
            system.entries("/sys/class/mdev_bus"),
        )
    if "driver" in names:
        facts["coherence"] = coherence(facts)
    if "records" in names:
        facts["records"], partial = records.verify(patient, facts, folder, user_id)
        patient.partial += partial
    return facts
