# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a .run file of NVIDIA's says of itself: in its name, and in the shell text before its archive."""

from __future__ import annotations

import re
from collections import namedtuple

# Enough for the shell text of a makeself file: NVIDIA's is some 30 KiB long.
HEADER_BYTES = 128 * 1024

# kind: driver | grid | vgpu_manager | cuda; version, machine (x86_64): None where it is not told; unpacked: KiB or None
Runfile = namedtuple("Runfile", "kind version machine unpacked")

DRIVER_NAME = re.compile(r"NVIDIA-Linux-([a-z0-9_]+)-(\d+\.\d+(?:\.\d+)?)((?:-[a-z0-9-]+)?)")
CUDA_NAME = re.compile(r"cuda_(\d+\.\d+(?:\.\d+)?)(?:_\d+\.\d+(?:\.\d+)?)?_linux(?:_([a-z0-9]+))?(?:-run)?")
ASSIGNMENT = re.compile(r"""^(label|script|targetdir|version_string)=(?:"([^"\n]*)"|'([^'\n]*)'|([^\s"';]*))""", re.M)
UNPACKED = re.compile(r"Uncompressed size: (\d+) KB")
CUDA_MACHINES = {None: "x86_64", "sbsa": "aarch64", "aarch64": "aarch64", "ppc64le": "ppc64le"}
KINDS = ("driver", "vgpu_manager", "grid", "cuda")
NAMED = {
    "driver": "a driver",
    "vgpu_manager": "a vGPU manager (the host's driver)",
    "grid": "a GRID driver (a vGPU guest's)",
    "cuda": "a CUDA toolkit",
}


def kind_of_suffix(suffix):
    """NVIDIA's files for vGPU differ by the end of their names: -grid, -grid-azure …, and -vgpu-kvm."""
    if suffix.startswith("-grid"):
        return "grid"
    return "vgpu_manager" if suffix.startswith("-vgpu") else "driver"


def parse_name(name):
    """What NVIDIA's way of naming files says, as Runfile; None for a file that was given another name."""
    stem = re.sub(r"\.run$", "", name.rsplit("/", 1)[-1])
    found = DRIVER_NAME.fullmatch(stem)
    if found:
        return Runfile(kind_of_suffix(found[3]), found[2], found[1], None)
    found = CUDA_NAME.fullmatch(stem)
    if found and found[2] in CUDA_MACHINES:
        return Runfile("cuda", found[1], CUDA_MACHINES[found[2]], None)
    return None


def parse_header(data):
    """What the shell text at the beginning of a file says, as Runfile; None when this is no .run file of NVIDIA's.

    A CUDA file does not tell its version there: it is in the file's name and, once installed, in version.json.
    """
    text = data[:HEADER_BYTES].decode("utf-8", "replace")
    if not re.match(r"#! ?/bin/sh\b", text):
        return None
    fields: dict = {}
    for name, double, single, bare in ASSIGNMENT.findall(text):
        fields.setdefault(name, double or single or bare)
    size = UNPACKED.search(text)
    unpacked = int(size[1]) if size else None
    if "nvidia-installer" in fields.get("script", ""):
        found = DRIVER_NAME.fullmatch(fields.get("targetdir", ""))
        if found is None:
            return None
        return Runfile(kind_of_suffix(found[3]), fields.get("version_string") or found[2], found[1], unpacked)
    if "cuda-installer" in fields.get("script", ""):
        version = re.search(r"\d+\.\d+(?:\.\d+)?", fields.get("label", ""))
        return Runfile("cuda", version[0] if version else None, None, unpacked)
    return None


def describe_other(data):
    """What a file that is no .run file looks like, in words."""
    start = data[:512].lstrip().lower()
    if not data:
        return "it is empty"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")) or b"<html" in start:
        return "it is a web page, probably the answer of a login or error page"
    if start.startswith(b"{"):
        return "it is JSON, probably an error message of the server"
    known = {b"!<arch>": "a Debian package", b"\xed\xab\xee\xdb": "an RPM package", b"PK\x03\x04": "a zip archive"}
    known.update({b"\x1f\x8b": "a gzip archive", b"\x7fELF": "a program"})
    named = next((what for magic, what in known.items() if data.startswith(magic)), None)
    return f"it is {named}" if named else "it does not begin with NVIDIA's installer script"


def same_version(one, other):
    """Whether two versions are one, where one of them may leave out its last number (12.6 and 12.6.3)."""
    numbers = [[int(part) for part in text.split(".")] for text in (one, other)]
    length = min(len(numbers[0]), len(numbers[1]))
    return numbers[0][:length] == numbers[1][:length]


def mismatch(runfile, kind, version, machine, where):
    """Why this file is not what was asked for, as a sentence, or None."""
    if runfile.kind != kind:
        return (
            f"{where} is {NAMED[runfile.kind]}, and kind is {kind}. Name the right file, or set kind to {runfile.kind}."
        )
    if runfile.machine and machine and runfile.machine != machine:
        return f"{where} is for {runfile.machine}, and this host is {machine}. Name the file for {machine}."
    if runfile.version and version and not same_version(runfile.version, version):
        return f"{where} holds version {runfile.version}, and version is {version}. Name the right file or version."
    return None
