"""Profiles: which graphics cards a host is simulated to have. Each is a file of the folder profiles/."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.lab.console import LabError
from tests.lab.places import PROFILES
from tests.lab.simulator import nvml_state

ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
IDS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
ID = re.compile(r"[0-9a-f]{4}")
CLASS = re.compile(r"0x[0-9a-f]{6}")
UUID = re.compile(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PROFILE_KEYS = {"description", "nouveau", "gpus", "devices", "driver", "build", "virtual"}
GPU_KEYS = {
    *("address", "name", "architecture", "device", "subsystem", "class", "numa_node", "iommu_group", "irq", "gsp"),
    *("sriov_totalvfs", "dma_bits", "branches", "flavours", "nouveau", "compute_capability", "uuid", "link", "bars"),
    *("functions", "nvml"),
}
NVML_KEYS = {
    *("brand", "memory_total", "memory_reserved", "memory_used", "serial", "vbios", "board_part_number", "temperature"),
    *("power_limit_watts", "power_default_limit_watts", "power_min_limit_watts", "power_max_limit_watts"),
    *("power_usage_watts", "ecc", "mig", "nvlinks", "processes", "virtualization_mode", "persistence_mode", "licence"),
}


def names() -> list[str]:
    return sorted(path.stem for path in PROFILES.glob("*.yml"))


def gpu_faults(gpu: dict[str, Any]) -> list[str]:
    nvml = gpu.get("nvml", {})
    checks = {
        "address": bool(ADDRESS.fullmatch(str(gpu.get("address")))),
        "device": bool(ID.fullmatch(str(gpu.get("device")))),
        "subsystem": bool(IDS.fullmatch(str(gpu.get("subsystem")))),
        "class": bool(CLASS.fullmatch(str(gpu.get("class")))) and str(gpu.get("class")).startswith("0x03"),
        "uuid": bool(UUID.fullmatch(str(gpu.get("uuid")))),
        "name": bool(gpu.get("name")),
        "architecture": gpu.get("architecture") in nvml_state.ARCHITECTURES,
        "compute_capability": bool(re.fullmatch(r"\d+\.\d", str(gpu.get("compute_capability")))),
        "flavours": bool(gpu.get("flavours")) and set(gpu["flavours"]) <= {"open", "proprietary"},
        "branches": set(gpu.get("branches", {})) == {"first", "last"},
        "nvml.brand": nvml.get("brand") in nvml_state.BRANDS,
        "nvml.memory_total": isinstance(nvml.get("memory_total"), int),
        "nvml.licence": (nvml.get("licence") or {"feature": "vgpu"}).get("feature") in nvml_state.LICENCE_FEATURES,
        "nvml.virtualization_mode": nvml.get("virtualization_mode", "none") in nvml_state.VIRTUALIZATION,
    }
    faults = [f"{key} of {gpu.get('address')} is missing or malformed" for key, good in checks.items() if not good]
    for label, unknown in (("", set(gpu) - GPU_KEYS), ("nvml.", set(nvml) - NVML_KEYS)):
        faults += [f"{label}{key} of {gpu.get('address')} is no key of a profile" for key in sorted(unknown)]
    return faults


def device_faults(device: dict[str, Any]) -> list[str]:
    good = ADDRESS.fullmatch(str(device.get("address"))) and ID.fullmatch(str(device.get("device")))
    whole = good and ID.fullmatch(str(device.get("vendor"))) and CLASS.fullmatch(str(device.get("class")))
    return [] if whole else [f"the device {device.get('address')} needs an address, vendor, device and class"]


def faults(profile: dict[str, Any]) -> list[str]:
    """Lists what is wrong with a profile, as sentences without a full stop; [] when it is sound."""
    found = [f"{key} is no key of a profile" for key in sorted(set(profile) - PROFILE_KEYS)]
    for gpu in profile.get("gpus", []):
        found += gpu_faults(gpu)
    for device in profile.get("devices", []):
        found += device_faults(device)
    for key in ("address", "uuid"):
        values = [str(gpu.get(key)) for gpu in profile.get("gpus", [])]
        found += [f"the {key} {value} appears twice" for value in sorted({v for v in values if values.count(v) > 1})]
    return found


def load(name: str) -> dict[str, Any]:
    path = PROFILES / f"{name}.yml"
    if not path.exists():
        raise LabError(f"There is no profile {name!r}; the lab has {', '.join(names())}.")
    profile: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    wrong = faults(profile)
    if wrong:
        raise LabError(f"The profile {path} is not sound: {'; '.join(wrong)}.")
    return profile
