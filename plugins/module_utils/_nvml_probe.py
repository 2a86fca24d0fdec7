# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that asks NVML, run as a process of its own: a call into a sick driver can hang where nothing interrupts it.

It prints one JSON object. Every call may fail by itself (boards differ in what they support): a failed one is null.
"""

from __future__ import annotations

PROGRAM = r"""
import json, sys
sys.path.append("/opt/gpufleet/python")
def say(**answer):
    print(json.dumps(answer)); sys.exit(0)
try:
    import pynvml as n
except ImportError:
    say(available=False, code=None, reason="nvidia-ml-py is not installed for " + sys.executable)
def ask(name, *args):
    try:
        value = getattr(n, name)(*args)
    except Exception:
        return None
    return value.decode() if isinstance(value, bytes) else value
try:
    n.nvmlInit()
except n.NVMLError as error:
    say(available=False, code=error.value, reason=str(error))
def const(name, default=None):
    return getattr(n, name, default)
def processes(handle):
    rows = []
    for kind, name in (("compute", "nvmlDeviceGetComputeRunningProcesses"), ("graphics", "nvmlDeviceGetGraphicsRunningProcesses")):
        for row in ask(name, handle) or []:
            used = row.usedGpuMemory
            rows.append({"pid": row.pid, "type": kind, "memory_mib": used // 1048576 if used else None})
    return rows
def pair(value):
    return {"current": bool(value[0]), "pending": bool(value[1])} if value else None
def watts(value):
    return value / 1000.0 if value is not None else None
def gpu(index):
    h = ask("nvmlDeviceGetHandleByIndex", index)
    if h is None:
        return {"index": index, "lost": True}
    pci, memory, capability = ask("nvmlDeviceGetPciInfo", h), ask("nvmlDeviceGetMemoryInfo", h), ask("nvmlDeviceGetCudaComputeCapability", h)
    bus = getattr(pci, "busId", "") if pci else ""
    bus = bus.decode() if isinstance(bus, bytes) else bus
    links = [ask("nvmlDeviceGetNvLinkState", h, link) for link in range(const("NVML_NVLINK_MAX_LINKS", 18))]
    persistence = ask("nvmlDeviceGetPersistenceMode", h)
    return {
        "index": index, "address": bus.lower()[-12:] or None, "uuid": ask("nvmlDeviceGetUUID", h), "name": ask("nvmlDeviceGetName", h),
        "serial": ask("nvmlDeviceGetSerial", h), "vbios": ask("nvmlDeviceGetVbiosVersion", h), "minor": ask("nvmlDeviceGetMinorNumber", h),
        "memory_mib": memory.total // 1048576 if memory else None, "memory_used_mib": memory.used // 1048576 if memory else None,
        "compute_capability": "%d.%d" % tuple(capability) if capability else None,
        "persistence_mode": bool(persistence) if persistence is not None else None,
        "ecc": pair(ask("nvmlDeviceGetEccMode", h)), "mig": pair(ask("nvmlDeviceGetMigMode", h)),
        "power_limit_watts": watts(ask("nvmlDeviceGetPowerManagementLimit", h)),
        "power_limit_default_watts": watts(ask("nvmlDeviceGetPowerManagementDefaultLimit", h)),
        "temperature_celsius": ask("nvmlDeviceGetTemperature", h, const("NVML_TEMPERATURE_GPU", 0)),
        "virtualization_mode": ask("nvmlDeviceGetVirtualizationMode", h),
        "nvlinks": {"active": sum(1 for state in links if state), "links": [number for number, state in enumerate(links) if state]},
        "processes": processes(h),
    }
cuda = ask("nvmlSystemGetCudaDriverVersion_v2") or ask("nvmlSystemGetCudaDriverVersion")
say(available=True, code=0, reason=None, driver_version=ask("nvmlSystemGetDriverVersion"), version=ask("nvmlSystemGetNVMLVersion"),
    cuda_driver_version="%d.%d" % (cuda // 1000, cuda % 1000 // 10) if cuda else None,
    gpus=[gpu(index) for index in range(ask("nvmlDeviceGetCount") or 0)])
"""
