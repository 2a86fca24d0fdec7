# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks NVML through nvidia-ml-py. It may hang in the driver, so it is run in a process of its own (see _apart).

Every call may fail by itself (boards and drivers differ in what they support): what a failed one would say is null.
"""

from __future__ import annotations

import json
import sys

FOLDERS = ("/opt/gpufleet/python", "/usr/lib/python3/dist-packages")  # beside those that Python searches by itself
CALLS = {"compute": "nvmlDeviceGetComputeRunningProcesses", "graphics": "nvmlDeviceGetGraphicsRunningProcesses"}
LINKS = 18  # of NVLink, where the binding does not say how many a card has at most


def probe():
    """NVML's answer as the text of one JSON object, ``{available, code, reason, …, gpus}``; nothing is raised.

    ``failed`` is true where the answer is a fault, and no answer of NVML.
    """
    try:
        answer = ask_nvml()
    except Exception as error:
        answer = {**refusal(f"the NVML probe failed: {error!r}"), "failed": True}
    return json.dumps(answer)


def refusal(reason, code=None):
    return {"available": False, "code": code, "reason": reason}


def ask_nvml():
    """The answer as a dictionary."""
    sys.path += FOLDERS
    try:
        import pynvml
    except ImportError:
        return refusal(f"nvidia-ml-py is not installed for {sys.executable}")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return refusal(str(error), error.value)
    nvml = Nvml(pynvml)
    cuda = nvml.ask("nvmlSystemGetCudaDriverVersion_v2") or nvml.ask("nvmlSystemGetCudaDriverVersion")
    return {
        "available": True,
        "code": 0,
        "reason": None,
        "driver_version": nvml.ask("nvmlSystemGetDriverVersion"),
        "version": nvml.ask("nvmlSystemGetNVMLVersion"),
        "cuda_driver_version": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
        "gpus": [nvml.gpu(index) for index in range(nvml.ask("nvmlDeviceGetCount") or 0)],
    }


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def pair(value):
    return {"current": bool(value[0]), "pending": bool(value[1])} if value else None


def mib(value):
    return value // 1048576 if value else None


def watts(value):
    return value / 1000.0 if value is not None else None


class Nvml:
    """The binding, whose calls give a value or nothing."""

    def __init__(self, binding):
        self.binding = binding

    def ask(self, name, *args):
        try:
            return text(getattr(self.binding, name)(*args))
        except Exception:
            return None

    def first(self, name, forms, handle):
        """The answer of the first form of a call that works: old drivers know the old ones alone."""
        answers = (self.ask(name + form, handle) for form in forms)
        return next((answer for answer in answers if answer is not None), None)

    def gpu(self, index):
        """The row of one GPU; ``error`` says why it is lost, or is null."""
        lost = handle = None
        try:
            handle = self.binding.nvmlDeviceGetHandleByIndex(index)
        except self.binding.NVMLError as error:
            lost = str(error)

        def get(name, *args):
            return None if handle is None else self.ask(f"nvmlDeviceGet{name}", handle, *args)

        second = getattr(self.binding, "nvmlMemory_v2", None)  # the first form counts reserved memory as used
        memory = (get("MemoryInfo", second) if second else None) or get("MemoryInfo")
        capability, persistence = get("CudaComputeCapability"), get("PersistenceMode")
        mode = get("VirtualizationMode")
        bus = text(getattr(get("PciInfo"), "busId", "")).lower()
        most = getattr(self.binding, "NVML_NVLINK_MAX_LINKS", LINKS)
        links = [link for link in range(most) if get("NvLinkState", link)]
        return {
            "index": index,
            "error": lost,
            "address": bus[-12:] or None,
            "uuid": get("UUID"),
            "name": get("Name"),
            "architecture": get("Architecture"),
            "serial": get("Serial"),
            "vbios": get("VbiosVersion"),
            "minor": get("MinorNumber"),
            "memory_mib": mib(memory.total) if memory else None,
            "memory_used_mib": memory.used // 1048576 if memory else None,
            "compute_capability": ".".join(map(str, capability)) if capability else None,
            "persistence_mode": bool(persistence) if persistence is not None else None,
            "ecc": pair(get("EccMode")),
            "mig": pair(get("MigMode")),
            "power_limit_watts": watts(get("PowerManagementLimit")),
            "power_limit_default_watts": watts(get("PowerManagementDefaultLimit")),
            "temperature_celsius": get("Temperature", getattr(self.binding, "NVML_TEMPERATURE_GPU", 0)),
            "virtualization_mode": mode,
            "licensing": self.licensing(handle) if handle is not None else None,
            "nvlinks": {"active": len(links), "links": links},
            "processes": self.processes(handle) if handle is not None else [],
            **({"vgpu_host": self.vgpu_host(handle)} if mode == 3 else {}),
        }

    def processes(self, handle):
        return [
            {"pid": row.pid, "type": kind, "memory_mib": mib(row.usedGpuMemory)}
            for kind, name in CALLS.items()
            for row in self.first(name, ("", "_v2", "_v1"), handle) or []
        ]

    def licensing(self, handle):
        found, rows = self.first("nvmlDeviceGetGridLicensableFeatures", ("_v4", "_v3"), handle), []
        if found is None:
            return None
        for row in found.gridLicensableFeatures[: found.licensableFeaturesCount]:
            end = getattr(row, "licenseExpiry", None)  # _v3 knows no end
            parts = [getattr(end, part) for part in ("year", "month", "day", "hour", "min", "sec")] if end else None
            rows.append(
                {
                    "code": row.featureCode,
                    "state": row.featureState,
                    "enabled": row.featureEnabled,
                    "product": text(row.productName),
                    "info": text(row.licenseInfo),
                    "expiry": {"status": end.status, "at": parts} if end else None,
                }
            )
        return {"supported": bool(found.isGridLicenseSupported), "features": rows}

    def vgpu_host(self, handle):
        able = [self.ask("nvmlDeviceGetVgpuCapabilities", handle, capability) for capability in (1, 2)]
        mode = self.ask("nvmlDeviceGetVgpuHeterogeneousMode", handle)
        profiles, sizes, enabled = (bool(value) if value is not None else None for value in (*able, mode))
        return {"heterogeneous": {"enabled": enabled, "profiles": profiles, "sizes": sizes}}
