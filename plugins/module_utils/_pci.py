# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions on the PCI bus that are NVIDIA's, read from sysfs: no driver and no program is needed."""

from __future__ import annotations

NVIDIA = "0x10de"
DEVICES = "/sys/bus/pci/devices"

IS_MEMORY = 0x200  # IORESOURCE_MEM in the flags of a region
LEAST_REGIONS = 2  # every GPU has a region for its registers and one into its memory

KINDS = {
    "0x0300": "gpu",
    "0x0302": "gpu",
    "0x0403": "audio",
    "0x0c03": "usb",
    "0x0c80": "ucsi",
    "0x0680": "nvswitch",
    "0x0604": "bridge",
}

# First device id of each run of ids of one architecture; ids between two entries belong to the former.
# Sources: pci.ids 2026.10.24 for the chips, nvGpus.h of nvidia-installer 590.48.01 for the generations before Maxwell.
FIRST_IDS = (
    (0x0000, "unknown"),
    (0x06C0, "fermi"),
    (0x0FC0, "kepler"),
    (0x1040, "fermi"),
    (0x1180, "kepler"),
    (0x1200, "fermi"),
    (0x1280, "kepler"),
    (0x1340, "maxwell"),
    (0x15F0, "pascal"),
    (0x1600, "maxwell"),
    (0x1725, "pascal"),
    (0x172E, "maxwell"),
    (0x1B00, "pascal"),
    (0x1D81, "volta"),
    (0x1DFB, "unknown"),
    (0x1E02, "turing"),
    (0x2000, "unknown"),
    (0x2080, "ampere"),
    (0x2100, "unknown"),
    (0x2182, "turing"),
    (0x2200, "ampere"),
    (0x2300, "hopper"),
    (0x2380, "unknown"),
    (0x2414, "ampere"),
    (0x2600, "unknown"),
    (0x2681, "ada"),
    (0x2900, "blackwell"),
    (0x3000, "rubin"),
    (0x3080, "unknown"),
    (0x3180, "blackwell"),
    (0x3300, "unknown"),
)


def architecture(device):
    """Architecture of a GPU by its device id (four hexadecimal digits); ``unknown`` where no chip has it."""
    number, found = _integer(device, 16), "unknown"
    for first, name in FIRST_IDS:
        if number is None or number < first:
            break
        found = name
    return found


def parse_resource(text):
    """Memory regions from sysfs's ``resource``: lines of start, end and flags in hexadecimal, those of BARs first.

    :returns: list of ``{index, start, size}`` in bytes; a region without an address starts at 0; lines that are all
        zero are unused BARs, or such that the kernel found no room for and gave up
    """
    bars = []
    for index, line in enumerate((text or "").splitlines()[:6]):
        try:
            start, end, flags = (int(word, 16) for word in line.split())
        except ValueError:
            continue
        if flags & IS_MEMORY and end >= start:
            bars.append({"index": index, "start": start, "size": end - start + 1})
    return bars


def is_assigned(bars, least=LEAST_REGIONS):
    """Whether the card's memory regions have addresses; one that has not is a sign of "Above 4G Decoding" being off.

    :param least: the number of regions that such a function has at least
    """
    return len(bars) >= least and all(region["start"] for region in bars)


def _integer(text, base=10):
    try:
        return int((text or "").strip(), base)
    except ValueError:
        return None


def _name(link):
    return link.rstrip("/").rsplit("/", 1)[-1] if link else None


def observe_function(system, address):
    """One NVIDIA function as a dictionary, or None when it is of another vendor."""
    base = f"{DEVICES}/{address}"

    def value(name):
        text = system.read(f"{base}/{name}")
        return text.strip() if text is not None else None

    if (value("vendor") or "").lower() != NVIDIA:
        return None
    device, code = (value("device") or "0x0000")[2:].lower(), value("class") or "0x000000"
    kind = KINDS.get(code[:6].lower(), "other")
    resource, physical = system.read(f"{base}/resource"), _name(system.link(f"{base}/physfn"))
    bars, least = parse_resource(resource), LEAST_REGIONS if kind == "gpu" and not physical else 0
    node = _integer(value("numa_node"))
    subsystem = [(value(f"subsystem_{part}") or "0x0000")[2:] for part in ("vendor", "device")]
    return {
        "address": address,
        "vendor": "10de",
        "device": device,
        "subsystem": ":".join(subsystem),
        "class": code,
        "kind": kind,
        "architecture": architecture(device) if kind == "gpu" else None,
        "name": None,
        "driver": _name(system.link(f"{base}/driver")),
        "bars": bars,
        "bars_assigned": is_assigned(bars, least) if resource is not None else None,
        "numa_node": node if node is not None and node >= 0 else None,
        "physical_function": physical,
        "virtual_functions": _integer(value("sriov_numvfs")) or 0,
        "iommu_group": _name(system.link(f"{base}/iommu_group")),
    }


def observe(system):
    """Every NVIDIA function, in the order of the addresses."""
    functions = [observe_function(system, address) for address in system.entries(DEVICES)]
    return [function for function in functions if function is not None]
