# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's own table of vGPU types, a file of the vGPU manager: names and maxima where no function offers them now."""

from __future__ import annotations

import re

PATH = "/usr/share/nvidia/vgpu/vgpuConfig.xml"
TYPE = re.compile(r"<vgpuType\b([^>]*)>(.*?)</vgpuType>", re.S)
CARD = re.compile(r"<pgpu\b[^>]*>(.*?)</pgpu>", re.S)
SUPPORTED = re.compile(r"<supportedVgpu\b([^>]*)>(.*?)</supportedVgpu>", re.S)
DEVICE = re.compile(r"<devId\b([^>]*)>", re.S)
SIZE = re.compile(r"<profileSize>\s*(0x[0-9a-fA-F]{1,16})\s*<")
MOST = re.compile(r"<maxVgpus>\s*(\d{1,6})\s*<")
ATTRIBUTE = re.compile(r"(\w+)\s*=\s*\"([^\"]*)\"")
ANY_SUBSYSTEM = "0000"
MIB = 1048576


def attributes(text):
    return dict(ATTRIBUTE.findall(text or ""))


def digits(text):
    """``0x13F2`` → ``13f2``, as the PCI facts write it."""
    return text.lower().replace("0x", "").rjust(4, "0") if text else ANY_SUBSYSTEM


def parse(text):
    """(types, cards) of vgpuConfig.xml.

    :returns: {id: (name, MiB or None)} and [(device, subsystem's device, {id: most instances})]
    """
    types, cards = {}, []
    for head, body in TYPE.findall(text or ""):
        told, size = attributes(head), SIZE.search(body)
        if told.get("id", "").isdigit() and told.get("name"):
            types[f"nvidia-{int(told['id'])}"] = (told["name"], int(size[1], 16) // MIB if size else None)
    for body in CARD.findall(text or ""):
        device = DEVICE.search(body)
        told, most = attributes(device[1]) if device else {}, {}
        for head, inner in SUPPORTED.findall(body):
            identity, found = attributes(head).get("vgpuId", ""), MOST.search(inner)
            if identity.isdigit():
                most[f"nvidia-{int(identity)}"] = int(found[1]) if found else None
        if told.get("deviceId"):
            cards.append((digits(told["deviceId"]), digits(told.get("subsystemId")), most))
    return types, cards


def of_card(parsed, device, subsystem):
    """{id: (name, MiB, most instances)} that a card supports, by its PCI ids; the entry of its very board comes first.

    :param device: four hexadecimal digits; :param subsystem: the subsystem's device, the same
    """
    types, cards = parsed
    rows = [row for row in cards if row[0] == device and row[1] in (subsystem, ANY_SUBSYSTEM)]
    rows.sort(key=lambda row: row[1] == ANY_SUBSYSTEM)
    most = rows[0][2] if rows else {}
    return {identity: (*types[identity], most[identity]) for identity in most if identity in types}
