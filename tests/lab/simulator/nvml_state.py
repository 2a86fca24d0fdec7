"""The file that the NVML stand-in reads at each call: lines ``key=value``. A key that is missing is "not supported"."""

from __future__ import annotations

from typing import Any

from .decide import Loaded, cuda_version

MIB = 1024 * 1024
ARCHITECTURES = {
    "kepler": 2, "maxwell": 3, "pascal": 4, "volta": 5, "turing": 6, "ampere": 7, "ada": 8, "hopper": 9,
    "blackwell": 10, "rubin": 13,
}  # fmt: skip
BRANDS = {
    "quadro": 1,
    "tesla": 2,
    "grid": 4,
    "geforce": 5,
    "titan": 6,
    "quadro_rtx": 12,
    "nvidia_rtx": 13,
    "nvidia": 14,
}
# What a vGPU or a passed-through card can be licensed for, by NVML's codes.
LICENCE_FEATURES = {"vgpu": 1, "nvidia_rtx": 2, "gaming": 3, "compute": 4}
VIRTUALIZATION = {"none": 0, "passthrough": 1, "vgpu": 2, "host_vgpu": 3, "host_vsga": 4}


def gpu_keys(gpu: dict[str, Any], index: int, minors: dict[str, int]) -> dict[str, str]:
    """Gives one card's keys, without the prefix. ``minors`` has every card of the driver by address."""
    nvml = gpu["nvml"]
    address = gpu["address"]
    domain, bus, rest = address.split(":")
    major, minor = gpu["compute_capability"].split(".")
    sub_vendor, sub_device = gpu["subsystem"].split(":")
    total, reserved, used = (int(nvml.get(key, 0)) for key in ("memory_total", "memory_reserved", "memory_used"))
    keys: dict[str, Any] = {
        "address": address,
        "domain": int(domain, 16),
        "bus": int(bus, 16),
        "device": int(rest.split(".")[0], 16),
        "pci_device_id": int(f"{gpu['device']}10de", 16),
        "pci_subsystem_id": int(f"{sub_device}{sub_vendor}", 16),
        "uuid": gpu["uuid"],
        "name": gpu["name"],
        "minor": minors[address],
        "index": index,
        "architecture": ARCHITECTURES[gpu["architecture"]],
        "brand": BRANDS[nvml["brand"]],
        "compute_major": major,
        "compute_minor": minor,
        "memory_total": total,
        "memory_reserved": reserved,
        "memory_used": used,
        "virtualization_mode": VIRTUALIZATION[nvml.get("virtualization_mode", "none")],
    }
    for name in ("serial", "vbios", "board_part_number", "temperature", "irq"):
        if nvml.get(name) is not None:
            keys[name] = nvml[name]
    for name in ("power_limit", "power_default_limit", "power_min_limit", "power_max_limit", "power_usage"):
        if nvml.get(f"{name}_watts") is not None:
            keys[name] = round(float(nvml[f"{name}_watts"]) * 1000)
    for name in ("ecc", "mig"):
        if nvml.get(name) is not None:
            keys[f"{name}_current"], keys[f"{name}_pending"] = (
                int(nvml[name][when]) for when in ("current", "pending")
            )
    if nvml.get("licence"):
        keys["licence_feature"] = LICENCE_FEATURES[nvml["licence"]["feature"]]
        keys["licence_product"] = nvml["licence"]["product"]
    for link in nvml.get("nvlinks", []):
        keys[f"nvlink.{link['link']}.state"] = int(link.get("active", True))
        if link.get("peer"):
            keys[f"nvlink.{link['link']}.peer"] = link["peer"]
    for number, process in enumerate(nvml.get("processes", [])):
        kind = process.get("type", "compute")
        keys[f"process.{number}"] = f"{kind} {process['pid']} {int(process['memory_mib']) * MIB}"
    return {key: str(value) for key, value in keys.items()}


def text(profile: dict[str, Any], loaded: Loaded) -> str:
    """Gives the whole file. Without a driver it is empty: then NVML cannot be initialised at all."""
    if loaded.nvidia is None:
        return ""
    gpus = [gpu for gpu in profile["gpus"] if gpu["address"] in loaded.nvidia_gpus]
    minors = {gpu["address"]: number for number, gpu in enumerate(gpus)}
    lines = [f"driver={loaded.nvidia.version}", f"cuda={cuda_version(loaded.nvidia.version)}", f"count={len(gpus)}"]
    for index, gpu in enumerate(gpus):
        lines += [f"gpu.{index}.{key}={value}" for key, value in gpu_keys(gpu, index, minors).items()]
    return "\n".join(lines) + "\n"
