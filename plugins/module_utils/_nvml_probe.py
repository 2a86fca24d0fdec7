# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that asks NVML, run as a process of its own: ``python -S - SECONDS FOLDER...``, its text on its input.

The folders are searched for nvidia-ml-py.

A call into a sick driver can hang where no signal arrives, and whoever waits for such a process hangs with it. So the
program asks in a child that holds none of our streams, waits for its answer alone, and leaves it when time is over.

It prints one JSON object. Every call may fail by itself (boards differ in what they support): a failed one is null.
"""

from __future__ import annotations

PROGRAM = r"""
import json, os, select, sys, time

sys.path += [*sys.argv[2:], "/opt/gpufleet/python", "/usr/lib/python3/dist-packages"]
CALLS = {"compute": "nvmlDeviceGetComputeRunningProcesses", "graphics": "nvmlDeviceGetGraphicsRunningProcesses"}

def no(reason, code=None, failed=False):
    return {"available": False, "code": code, "reason": reason, "failed": failed}

def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

def pair(value):
    return {"current": bool(value[0]), "pending": bool(value[1])} if value else None

def mib(value):
    return value // 1048576 if value else None

def watts(value):
    return value / 1000.0 if value is not None else None

def ask_nvml():
    try:
        import pynvml as n
    except ImportError:
        return no("nvidia-ml-py is not installed for " + sys.executable)
    try:
        n.nvmlInit()
    except n.NVMLError as error:
        return no(str(error), error.value)

    def ask(name, *args):
        try:
            return text(getattr(n, name)(*args))
        except Exception:
            return None

    def processes(handle):
        rows = []
        for kind, name in CALLS.items():
            forms = (ask(name + form, handle) for form in ("", "_v2", "_v1"))  # old drivers know the old ones alone
            for row in next((found for found in forms if found is not None), []):
                rows.append({"pid": row.pid, "type": kind, "memory_mib": mib(row.usedGpuMemory)})
        return rows

    def licensing(handle):
        forms = (ask("nvmlDeviceGetGridLicensableFeatures" + form, handle) for form in ("_v4", "_v3"))
        found, rows = next((one for one in forms if one is not None), None), []
        if found is None:
            return None
        for row in found.gridLicensableFeatures[: found.licensableFeaturesCount]:
            end = getattr(row, "licenseExpiry", None)  # _v3 knows no end
            parts = [getattr(end, part) for part in ("year", "month", "day", "hour", "min", "sec")] if end else None
            rows.append({
                "code": row.featureCode,
                "state": row.featureState,
                "enabled": row.featureEnabled,
                "product": text(row.productName),
                "info": text(row.licenseInfo),
                "expiry": {"status": end.status, "at": parts} if end else None,
            })
        return {"supported": bool(found.isGridLicenseSupported), "features": rows}

    def vgpu_host(handle):
        able = [ask("nvmlDeviceGetVgpuCapabilities", handle, capability) for capability in (1, 2)]  # profiles, sizes
        mode = ask("nvmlDeviceGetVgpuHeterogeneousMode", handle)
        profiles, sizes, enabled = (bool(value) if value is not None else None for value in (*able, mode))
        return {"heterogeneous": {"enabled": enabled, "profiles": profiles, "sizes": sizes}}

    def gpu(index):
        lost = handle = None
        try:
            handle = n.nvmlDeviceGetHandleByIndex(index)
        except n.NVMLError as error:
            lost = str(error)
        def get(name, *args):
            return None if handle is None else ask("nvmlDeviceGet" + name, handle, *args)
        second = getattr(n, "nvmlMemory_v2", None)  # the first form counts reserved memory as used
        memory = (get("MemoryInfo", second) if second else None) or get("MemoryInfo")
        capability, persistence = get("CudaComputeCapability"), get("PersistenceMode")
        mode = get("VirtualizationMode")
        bus = text(getattr(get("PciInfo"), "busId", "")).lower()
        links = [link for link in range(getattr(n, "NVML_NVLINK_MAX_LINKS", 18)) if get("NvLinkState", link)]
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
            "compute_capability": "%d.%d" % tuple(capability) if capability else None,
            "persistence_mode": bool(persistence) if persistence is not None else None,
            "ecc": pair(get("EccMode")),
            "mig": pair(get("MigMode")),
            "power_limit_watts": watts(get("PowerManagementLimit")),
            "power_limit_default_watts": watts(get("PowerManagementDefaultLimit")),
            "temperature_celsius": get("Temperature", getattr(n, "NVML_TEMPERATURE_GPU", 0)),
            "virtualization_mode": mode,
            "licensing": licensing(handle) if handle is not None else None,
            "nvlinks": {"active": len(links), "links": links},
            "processes": processes(handle) if handle is not None else [],
            **({"vgpu_host": vgpu_host(handle)} if mode == 3 else {}),
        }

    cuda = ask("nvmlSystemGetCudaDriverVersion_v2") or ask("nvmlSystemGetCudaDriverVersion")
    return {
        "available": True,
        "code": 0,
        "reason": None,
        "driver_version": ask("nvmlSystemGetDriverVersion"),
        "version": ask("nvmlSystemGetNVMLVersion"),
        "cuda_driver_version": "%d.%d" % (cuda // 1000, cuda % 1000 // 10) if cuda else None,
        "gpus": [gpu(index) for index in range(ask("nvmlDeviceGetCount") or 0)],
    }

def answer_through(writer):
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    try:
        answer = ask_nvml()
    except Exception as error:
        answer = no("the NVML probe failed: " + repr(error), failed=True)
    with os.fdopen(writer, "w") as out:
        json.dump(answer, out)

def wait(reader, seconds):
    answer, end = b"", time.monotonic() + seconds
    while select.select([reader], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(reader, 65536)
        if not part:
            return answer.decode() or json.dumps(no("the NVML probe died without an answer", failed=True))
        answer += part
    hangs = "NVML did not answer within %g s: a GPU or its driver hangs; look for Xid lines in the kernel log" % seconds
    return json.dumps(no(hangs, failed=True))

reader, writer = os.pipe()
child = os.fork()
if child == 0:
    try:
        os.close(reader)
        answer_through(writer)
    finally:
        os._exit(0)
os.close(writer)
print(wait(reader, float(sys.argv[1])))
os.kill(child, 9)
"""
