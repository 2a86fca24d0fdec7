"""The PCI functions of a profile as the kernel shows them in /sys/bus/pci."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

NVIDIA = "10de"
# The kernel lists six BARs, the ROM and six BARs of virtual functions.
RESOURCES = 13
FLAGS = {"memory": 0x40200, "memory64": 0x14220C, "io": 0x40101, "rom": 0x46200}
AUDIO_DRIVER = "snd_hda_intel"


def functions(profile: dict[str, Any]) -> list[dict[str, Any]]:
    """Gives every PCI function of the profile: the cards, what sits on the same board, and the rest of the machine.

    Each has address, vendor, device, subsystem ("vvvv:dddd"), class, revision, numa_node, bars and kind (gpu ...).
    """
    found = []
    for gpu in profile.get("gpus", []):
        common = {"vendor": NVIDIA, "numa_node": gpu.get("numa_node", -1), "subsystem": gpu["subsystem"]}
        found.append({"revision": "a1", "bars": [], **gpu, **common, "kind": "gpu"})
        for other in gpu.get("functions", []):
            address = gpu["address"].rpartition(".")[0] + f".{other['function']}"
            found.append({"revision": "a1", "bars": [], **common, **other, "address": address})
    for other in profile.get("devices", []):
        found.append({"revision": "00", "bars": [], "numa_node": -1, "subsystem": "0000:0000", **other})
    return sorted(found, key=lambda function: str(function["address"]))


def resource_text(bars: list[dict[str, Any]]) -> str:
    """Gives the file ``resource``: start, end and flags, one line per BAR; one without a start is not assigned."""
    lines = ["0x0000000000000000 0x0000000000000000 0x0000000000000000"] * RESOURCES
    for region in bars:
        flags = FLAGS[region.get("type", "memory")]
        start = int(region["start"]) if region.get("start") is not None else 0
        end = start + int(region["size"]) - 1
        lines[int(region["index"])] = f"0x{start:016x} 0x{end:016x} 0x{flags:016x}"
    return "\n".join(lines) + "\n"


def config_bytes(function: dict[str, Any]) -> bytes:
    """Gives the configuration space's first 64 bytes, which is what lspci needs, padded to 256."""
    vendor, device = int(function["vendor"], 16), int(function["device"], 16)
    sub_vendor, sub_device = (int(part, 16) for part in function["subsystem"].split(":"))
    kind = int(function["class"], 16)
    header = bytearray(256)
    several = function.get("kind") != "gpu" or bool(function.get("functions"))
    struct.pack_into("<HHHH", header, 0, vendor, device, 0x0407, 0x0010)
    struct.pack_into("<BBBB", header, 8, int(function["revision"], 16), kind & 0xFF, (kind >> 8) & 0xFF, kind >> 16)
    struct.pack_into("<BBBB", header, 12, 0x10, 0, 0x80 if several else 0, 0)
    for region in function["bars"]:
        if int(region["index"]) < 6 and region.get("start") is not None:
            low = {"memory": 0x0, "memory64": 0xC, "io": 0x1}.get(region.get("type", "memory"), 0x0)
            struct.pack_into("<I", header, 16 + 4 * int(region["index"]), (int(region["start"]) & 0xFFFFFFFF) | low)
            if region.get("type") == "memory64":
                struct.pack_into("<I", header, 20 + 4 * int(region["index"]), int(region["start"]) >> 32)
    struct.pack_into("<HH", header, 44, sub_vendor, sub_device)
    return bytes(header)


def modalias(function: dict[str, Any]) -> str:
    sub_vendor, sub_device = function["subsystem"].upper().split(":")
    vendor, device, kind = function["vendor"].upper(), function["device"].upper(), int(function["class"], 16)
    classes = f"bc{kind >> 16:02X}sc{(kind >> 8) & 0xFF:02X}i{kind & 0xFF:02X}"
    return f"pci:v0000{vendor}d0000{device}sv0000{sub_vendor}sd0000{sub_device}{classes}"


def files(function: dict[str, Any], driver: str | None) -> dict[str, str]:
    """Gives the text files of a function's folder by name, each with its newline."""
    sub_vendor, sub_device = function["subsystem"].split(":")
    values = {
        "vendor": f"0x{function['vendor']}",
        "device": f"0x{function['device']}",
        "subsystem_vendor": f"0x{sub_vendor}",
        "subsystem_device": f"0x{sub_device}",
        "class": function["class"],
        "revision": f"0x{function['revision']}",
        "numa_node": str(function["numa_node"]),
        "enable": "1" if driver else "0",
        "irq": str(function.get("irq", 0)),
        "driver_override": "(null)",
        "modalias": modalias(function),
        "local_cpulist": "0-1",
        "power_state": "D0",
    }
    if function.get("link"):
        speed, width = function["link"]["speed"], function["link"]["width"]
        values.update(
            current_link_speed=f"{speed} GT/s PCIe",
            max_link_speed=f"{speed} GT/s PCIe",
            current_link_width=str(width),
            max_link_width=str(width),
        )
    if function.get("sriov_totalvfs"):
        values.update(sriov_totalvfs=str(function["sriov_totalvfs"]), sriov_numvfs="0")
    uevent = [f"DRIVER={driver}"] if driver else []
    uevent += [
        f"PCI_CLASS={int(function['class'], 16):X}",
        f"PCI_ID={function['vendor'].upper()}:{function['device'].upper()}",
        f"PCI_SUBSYS_ID={function['subsystem'].upper()}",
        f"PCI_SLOT_NAME={function['address']}",
        f"MODALIAS={values['modalias']}",
    ]
    values["uevent"] = "\n".join(uevent)
    texts = {name: f"{value}\n" for name, value in values.items()}
    texts["resource"] = resource_text(function["bars"])
    return texts


def drivers(profile: dict[str, Any], nvidia: Iterable[str], nouveau: Iterable[str]) -> dict[str, str]:
    """Gives the bound driver of each function by address; ``nvidia`` and ``nouveau`` hold addresses of their cards."""
    bound = {str(f["address"]): str(f["driver"]) for f in functions(profile) if f.get("driver")}
    bound.update(dict.fromkeys(nvidia, "nvidia"))
    bound.update(dict.fromkeys(nouveau, "nouveau"))
    return bound
