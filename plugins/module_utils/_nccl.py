# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NCCL libraries of a host, and which of them the linker gives a program: read from files, no program is run."""

from __future__ import annotations

import re
import struct

STATUS = "/var/lib/dpkg/status"
CACHE = "/etc/ld.so.cache"
NAME = "libnccl.so.2"
PACKAGE = re.compile(r"libnccl2|libnccl-dev|libnccl|libnccl-devel|nccl|nvhpc-\d[\w.-]*")
INSTALLED = ("installed", "unpacked", "half-configured", "triggers-pending", "triggers-awaited")
# Where a libnccl may lie without the linker knowing it. HPC SDK keeps its own, by release, and for each CUDA.
FOLDERS = (
    "/usr/local/lib",
    "/usr/local/cuda/lib64",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
)
HPCSDK = "/opt/nvidia/hpc_sdk"
MAGIC = b"glibc-ld.so.cache1.1"
HEADER, ENTRY = struct.Struct("<20sII"), struct.Struct("<iIIIQ")
HEADER_SIZE = 48  # magic, two counts, flags with padding, the extensions' offset, three unused words


def parse_status(text):
    """``[{name, version, held}]`` of dpkg's status file."""
    rows = []
    # from one "\n" to the next: "^" would be tried at every letter of a large file
    for found in re.finditer(r"\nPackage: (\S*(?:nccl|nvhpc)\S*)\n((?:.+\n?)*)", f"\n{text or ''}"):
        status = re.search(r"^Status: (\S+) \S+ (\S+)$", found[2], re.M)
        version = re.search(r"^Version: (\S+)$", found[2], re.M)
        if PACKAGE.fullmatch(found[1]) and status and version and status[2] in INSTALLED:
            rows.append({"name": found[1], "version": version[1], "held": status[1] == "hold"})
    return sorted(rows, key=lambda row: row["name"])


def parse_rpm(text):
    """The same from ``rpm -q --qf '%{NAME} %{VERSION}-%{RELEASE}\\n'``; locks are not looked at."""
    rows = [line.split(" ") for line in (text or "").splitlines() if re.fullmatch(r"[\w.+-]+ [\w.:~^+]+-\S+", line)]
    return [{"name": name, "version": version, "held": False} for name, version in rows if PACKAGE.fullmatch(name)]


def parse_cache(data, name=NAME):
    """Paths that the linker's cache has for *name*, the one that it takes first; [] for anything that is no cache.

    The format is glibc's sysdeps/generic/dl-cache.h, ``struct cache_file_new``; offsets count from its magic.
    """
    start = (data or b"").find(MAGIC)
    if start < 0 or len(data) < start + HEADER_SIZE:
        return []
    body = data[start:]
    _magic, count, _length = HEADER.unpack_from(body)
    paths = []
    for number in range(count):
        offset = HEADER_SIZE + number * ENTRY.size
        if offset + ENTRY.size > len(body):
            break
        _flags, key, value, _version, _hardware = ENTRY.unpack_from(body, offset)
        if _text(body, key) == name:
            paths.append(_text(body, value))
    return [path for path in dict.fromkeys(paths) if path.startswith("/")]


def _text(data, offset):
    end = data.find(b"\0", offset)
    return data[offset:end].decode("utf-8", "replace") if 0 <= offset < len(data) and end >= 0 else ""


def version_of(path):
    """``…/libnccl.so.2.28.3`` gives 2.28.3, a name without it None."""
    found = re.search(r"libnccl\.so\.(\d+\.\d+\.\d+)$", path)
    return found[1] if found else None


def hpcsdk_folders(system):
    """The folders of the HPC SDK's own NCCL, newest release first."""
    base = [f"{HPCSDK}/{machine}" for machine in system.entries(HPCSDK) if machine.startswith("Linux_")]
    releases = [f"{path}/{name}" for path in base for name in system.entries(path) if re.fullmatch(r"\d+\.\d+", name)]
    return [f"{path}/comm_libs/nccl/lib" for path in reversed(releases)]


def observe_packages(system, package_manager):
    if package_manager == "apt":
        return parse_status(system.read(STATUS))
    if package_manager == "pacman":
        found = (re.fullmatch(r"(.+)-([^-]+-[^-]+)", entry) for entry in system.entries("/var/lib/pacman/local"))
        rows = [(match[1], match[2]) for match in found if match and PACKAGE.fullmatch(match[1])]
        return [{"name": name, "version": version, "held": False} for name, version in rows]
    return []


def observe(system, package_manager):
    """``{packages, libraries, default}``: see RETURN of gpu_facts."""
    cached = [path for path in parse_cache(system.read_bytes(CACHE)) if system.exists(path)]
    real = [system.real(path) for path in cached]
    others = [f"{folder}/{NAME}" for folder in (*FOLDERS, *hpcsdk_folders(system))]
    others = [path for path in others if system.exists(path) and system.real(path) not in real]
    libraries = [
        {"path": path, "version": version_of(system.real(path)), "in_cache": path in cached}
        for path in dict.fromkeys([*cached, *others])
    ]
    packages = observe_packages(system, package_manager)
    if package_manager in ("dnf", "zypper") and libraries:
        query = ["rpm", "-q", "--qf", r"%{NAME} %{VERSION}-%{RELEASE}\n", "libnccl", "libnccl-devel"]
        packages = parse_rpm(system.run(query, timeout=20).out)
    default = {"path": cached[0], "version": version_of(real[0])} if cached else None
    return {"packages": packages, "libraries": libraries, "default": default}
