# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which running programs have loaded NCCL, and which one: their memory maps tell."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nccl

MAPPED = re.compile(r"^\S+ r.x\S* .* (/\S*libnccl\.so\.2\S*?)(?: \(deleted\))?$", re.M)


def parse_maps(text):
    """Paths of the libnccl that are mapped as code in a process, from its ``/proc/PID/maps``."""
    return sorted(set(MAPPED.findall(text or "")))


def observe(system):
    """``[{pid, program, path, version}]`` of every process that has a libnccl; version None where no name tells it.

    Needs root for the processes of others.
    """
    rows = []
    for pid in sorted((name for name in system.entries("/proc") if name.isdigit()), key=int):
        for path in parse_maps(system.read(f"/proc/{pid}/maps")):
            program = (system.read(f"/proc/{pid}/comm") or "").strip()
            rows.append({"pid": int(pid), "program": program, "path": path, "version": _nccl.version_of(path)})
    return rows


def others(rows, default):
    """A sentence for each process that has another library than the linker would give it now.

    :param default: real path of the library that the linker gives, or None
    """
    gives = default or "none"
    return [
        f"{row['program']} (process {row['pid']}) has NCCL {row['version'] or 'of unknown version'} from {row['path']};"
        f" the linker gives {gives}."
        for row in rows
        if row["path"] != default
    ]


def ensure(system):
    """The result of the module `nccl_processes`; see its RETURN."""
    rows = observe(system)
    cached = [path for path in _nccl.parse_cache(system.read_bytes(_nccl.CACHE)) if system.exists(path)]
    return {
        "changed": False,
        "processes": rows,
        "others": others(rows, system.real(cached[0]) if cached else None),
    }
