# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a kernel module file says of itself: version, licence, and who signed it."""

from __future__ import annotations

import struct

MAGIC = b"~Module signature appended~\n"
COMMON_NAME = b"\x06\x03\x55\x04\x03"  # OID 2.5.4.3 in DER
ELF64_HEADER = struct.Struct("<40xQ10xHHH")
ELF64_SECTION = struct.Struct("<IIQQQQIIQQ")


def parse_modinfo(data):
    """The ``.modinfo`` section of a 64-bit little-endian ELF file as a dictionary; {} for anything else."""
    try:
        return _strings(_section(data, b".modinfo"))
    except (struct.error, IndexError, ValueError):
        return {}


def _section(data, wanted):
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    offset, size, count, names = ELF64_HEADER.unpack_from(data)
    sections = [ELF64_SECTION.unpack_from(data, offset + number * size) for number in range(count)]
    names_offset = sections[names][4]
    for section in sections:
        start = names_offset + section[0]
        if data[start : start + len(wanted) + 1] == wanted + b"\0":
            return data[section[4] : section[4] + section[5]]
    raise ValueError("no such section")


def _strings(section):
    pairs: dict[str, str] = {}
    for word in section.split(b"\0"):
        name, _equals, value = word.partition(b"=")
        if name:
            pairs.setdefault(name.decode("ascii", "replace"), value.decode("utf-8", "replace"))
    return pairs


def parse_signer(data):
    """Common name of the certificate that signed the module, None when it is not signed (or not in PKCS#7)."""
    if not data.endswith(MAGIC):
        return None
    end = len(data) - len(MAGIC) - 12
    length = int.from_bytes(data[end + 8 : end + 12], "big")
    blob = data[max(0, end - length) : end]
    at = blob.find(COMMON_NAME)
    if at < 0 or at + 7 > len(blob):
        return None
    size = blob[at + 6]
    return blob[at + 7 : at + 7 + size].decode("utf-8", "replace") or None


def body(data):
    """A module's bytes without the signature behind them."""
    end = len(data) - len(MAGIC) - 12
    if not data.endswith(MAGIC) or end < 0:
        return data
    return data[: max(0, end - int.from_bytes(data[end + 8 : end + 12], "big"))]


def flavour(modinfo):
    """open or proprietary by the licence that the module declares; unknown when it declares none."""
    licence = modinfo.get("license", "")
    if "GPL" in licence:
        return "open"
    return "proprietary" if licence == "NVIDIA" else "unknown"


def decompress(system, path):
    """The module's bytes, or None when it cannot be read."""
    data = system.read_bytes(path)
    if data is None or path.endswith(".ko"):
        return data
    try:
        if path.endswith(".xz"):
            import lzma

            return lzma.decompress(data)
        if path.endswith(".gz"):
            import zlib

            return zlib.decompress(data, 31)
    except Exception:  # a damaged file is as good as none: the caller says that it could not be read
        return None
    return None
