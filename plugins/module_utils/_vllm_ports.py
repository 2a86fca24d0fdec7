# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that somebody listens on, whose they are, and which of our servers it is."""

from __future__ import annotations

import re

LISTEN = "0A"
LEAST = 1024  # servers get no port below this one
GROUP = re.compile(r"/vllm@([a-z0-9][a-z0-9_.-]*)\.service\b")


def parse_sockets(text):
    """{inode: port} of the listening sockets in ``/proc/net/tcp`` or ``tcp6``."""
    found = {}
    for line in (text or "").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTEN:
            port = fields[1].rpartition(":")[2]
            if re.fullmatch(r"[0-9A-Fa-f]{1,4}", port) and int(port, 16) >= LEAST:
                found[fields[9]] = int(port, 16)
    return found


def instance_of(group):
    """The instance whose unit a process belongs to, from its ``/proc/PID/cgroup``; None: of none."""
    found = GROUP.search(group or "")
    return found[1] if found else None


def listening(system):
    """[{port, owner, instance}] sorted by port; owner None: another user's, and we may not see which program."""
    sockets = {**parse_sockets(system.read("/proc/net/tcp")), **parse_sockets(system.read("/proc/net/tcp6"))}
    owners = owners_of(system, set(sockets)) if sockets else {}
    rows = {}
    for inode, port in sockets.items():
        pid = owners.get(inode)
        name = (system.read(f"/proc/{pid}/comm") or "").strip() if pid else None
        group = instance_of(system.read(f"/proc/{pid}/cgroup")) if pid else None
        if port not in rows or group:
            rows[port] = {"port": port, "owner": name or None, "instance": group}
    return [rows[port] for port in sorted(rows)]


def owners_of(system, inodes):
    """{inode: process} for as many as can be seen."""
    left = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict = {}
    for pid in sorted((name for name in system.entries("/proc") if name.isdigit()), key=int):
        for number in system.entries(f"/proc/{pid}/fd"):
            inode = left.get(system.link(f"/proc/{pid}/fd/{number}") or "")
            if inode is not None:
                found.setdefault(inode, pid)
        if len(found) == len(left):
            break
    return found
