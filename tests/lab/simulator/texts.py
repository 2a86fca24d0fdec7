"""What the driver and the kernel write into procfs."""

from __future__ import annotations

from typing import Any

from .decide import Loaded, Module

GCC = "12.2.0 (Debian 12.2.0-14+deb12u1)"
SIZES = {
    "nvidia": 56827904,
    "nvidia_uvm": 1540096,
    "nvidia_modeset": 1314816,
    "nvidia_drm": 77824,
    "nouveau": 2424832,
    "other": 65536,
}
NVIDIA_CHARACTER_DEVICES = ("195 nvidia", "195 nvidia-modeset", "195 nvidiactl", "511 nvidia-uvm")
# The driver's parameters that a person asks about most; the real file has some forty lines of this form.
PARAMETERS = {
    "ResmanDebugLevel": "4294967295",
    "RmLogonRC": "1",
    "ModifyDeviceFiles": "1",
    "DeviceFileUID": "0",
    "DeviceFileGID": "0",
    "DeviceFileMode": "438",
    "InitializeSystemMemoryAllocations": "1",
    "UsePageAttributeTable": "4294967295",
    "EnableMSI": "1",
    "EnablePCIeGen3": "0",
    "MemoryPoolSize": "0",
    "IgnoreMMIOCheck": "0",
    "EnableStreamMemOPs": "0",
    "EnableUserNUMAManagement": "1",
    "NvLinkDisable": "0",
    "RmProfilingAdminOnly": "1",
    "PreserveVideoMemoryAllocations": "0",
    "DynamicPowerManagement": "3",
    "RegisterPCIDriver": "1",
    "EnableResizableBar": "0",
    "EnableGpuFirmware": "18",
    "EnableGpuFirmwareLogs": "2",
    "OpenRmEnableUnsupportedGpus": "1",
}
QUOTED = ("RegistryDwords", "RegistryDwordsPerDevice", "RmMsg", "GpuBlacklist", "TemporaryFilePath", "ExcludedGpus")


def version_text(module: Module, builder: str = "", gcc: str = GCC) -> str:
    """Gives /proc/driver/nvidia/version, whose shape differs between the open and the proprietary module."""
    if module.flavour == "open":
        head = f"NVIDIA UNIX Open Kernel Module for x86_64  {module.version}  Release Build  ({builder or 'root@'})  "
    else:
        head = f"NVIDIA UNIX x86_64 Kernel Module  {module.version}  Mon Mar  3 10:20:30 UTC 2025"
    return f"NVRM version: {head}\nGCC version:  gcc version {gcc} \n"


def information_text(gpu: dict[str, Any], minor: int, module: Module) -> str:
    """Gives /proc/driver/nvidia/gpus/ADDRESS/information."""
    firmware = module.version if gpu.get("gsp") or module.flavour == "open" else "N/A"
    bits = int(gpu.get("dma_bits", 47))
    return (
        f"Model: \t\t {gpu['name']}\n"
        f"IRQ:   \t\t {gpu.get('irq', 0)}\n"
        f"GPU UUID: \t {gpu['uuid']}\n"
        f"Video BIOS: \t {str(gpu['nvml'].get('vbios', '??.??.??.??.??')).lower()}\n"
        "Bus Type: \t PCIe\n"
        f"DMA Size: \t {bits} bits\n"
        f"DMA Mask: \t 0x{(1 << bits) - 1:x}\n"
        f"Bus Location: \t {gpu['address']}\n"
        f"Device Minor: \t {minor}\n"
        f"GPU Firmware: \t {firmware}\n"
        "GPU Excluded:\t No\n"
    )


def parameters_text(changed: dict[str, str]) -> str:
    """Gives /proc/driver/nvidia/params; ``changed`` holds parameters that modprobe.d sets, by name without NVreg_."""
    quoted = {name: f'"{changed.get(name, "").strip(chr(34))}"' for name in QUOTED}
    return "".join(f"{name}: {value}\n" for name, value in {**PARAMETERS, **changed, **quoted}.items())


def modules_text(outer: str, loaded: Loaded) -> str:
    """Gives /proc/modules: the machine's own, with the graphics drivers as simulated."""
    lines = [line for line in outer.splitlines() if not line.startswith(("nvidia", "nouveau"))]
    for name in loaded.others:
        lines.insert(0, f"{name} {SIZES['other']} 0 - Live 0x0000000000000000")
    if loaded.nouveau:
        lines.insert(0, f"nouveau {SIZES['nouveau']} 1 - Live 0x0000000000000000")
    if loaded.nvidia:
        taints = "OE" if loaded.nvidia.flavour == "open" else "POE"
        for name in loaded.modules:
            users = loaded.users(name)
            names = "".join(f"{user}," for user in users) or "-"
            lines.insert(0, f"{name} {SIZES[name]} {len(users)} {names} Live 0x0000000000000000 ({taints})")
    return "".join(f"{line}\n" for line in lines)


def devices_text(outer: str, loaded: Loaded) -> str:
    """Gives /proc/devices with the driver's majors among the character devices."""
    lines = [line for line in outer.splitlines() if "nvidia" not in line]
    if loaded.nvidia and "Block devices:" in lines:
        at = lines.index("Block devices:")
        while at and not lines[at - 1]:
            at -= 1
        lines[at:at] = NVIDIA_CHARACTER_DEVICES
    return "\n".join(lines) + "\n"
