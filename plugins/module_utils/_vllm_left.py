# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers that were killed have left: engines without a server, and shared memory that nobody holds.

A server that runs as a service of ours leaves neither, because its control group and its /dev/shm end with it.
"""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_ports import instance_of

TITLES = ("VLLM::EngineCor", "VLLM::Worker")  # the kernel keeps 15 letters of a name
SHM = "/dev/shm"


def left_behind(system):
    """{processes: [{pid, name}], shared_memory: [path]}"""
    engines, parents = [], {}
    segments = [name for name in system.entries(SHM) if name.startswith("psm_")]
    pids = [int(name) for name in system.entries("/proc") if name.isdigit()]
    for pid in pids:
        name, parents[pid] = parse_stat(system.read(f"/proc/{pid}/stat"))
        if name.startswith(TITLES):
            engines.append((pid, name))
    orphans = [row for row in engines if is_orphan(system, row[0], parents, {pid for pid, _name in engines})]
    orphans = [row for row in orphans if instance_of(system.read(f"/proc/{row[0]}/cgroup")) is None]
    held = held_segments(system, pids) if segments else set()
    return {
        "processes": [{"pid": pid, "name": name} for pid, name in sorted(orphans)],
        "shared_memory": [f"{SHM}/{name}" for name in segments if f"{SHM}/{name}" not in held],
    }


def parse_stat(text):
    """(name, parent) of ``/proc/PID/stat``; the name is in brackets and may have some itself."""
    found = re.match(r"\d+ \((.*)\) \S (\d+) ", text or "", re.DOTALL)
    return (found[1], int(found[2])) if found else ("", 0)


def is_orphan(system, pid, parents, engines):
    """Whether no server stands above an engine: its parents are engines alone, up to an init or a manager."""
    seen = set()
    while pid in engines and pid not in seen:
        seen.add(pid)
        pid = parents.get(pid, 0)
    name = parse_stat(system.read(f"/proc/{pid}/stat"))[0] if pid > 1 else "init"
    return name in ("init", "systemd", "tini", "dumb-init")


def held_segments(system, pids):
    """Every file of /dev/shm that a living process has mapped."""
    held = set()
    for pid in pids:
        held |= set(re.findall(rf"({SHM}/\S+)", system.read(f"/proc/{pid}/maps") or ""))
    return held
