# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has a virtual GPU open: a virtual machine's process holds the device's VFIO group."""

from __future__ import annotations

import re

GUEST = re.compile(r"(?:guest=)?([^,]+)")


def nodes(system, base, group):
    """The files below /dev/vfio through which a device is used: its group, and its own on newer kernels.

    :param base: the device's folder in sysfs; :param group: its IOMMU group, or None
    """
    files = {f"/dev/vfio/{group}", f"/dev/vfio/noiommu-{group}"} if group is not None else set()
    return files | {f"/dev/vfio/devices/{name}" for name in system.entries(f"{base}/vfio-dev")}


def guest(arguments):
    """A virtual machine's name from QEMU's arguments: ``-name guest=win11,debug-threads=on``; None without one."""
    places = [number for number, flag in enumerate(arguments[:-1]) if flag in ("-name", "--name")]
    found = GUEST.match(arguments[places[0] + 1]) if places else None
    return found[1] if found else None


def open_files(system, prefix="/dev/vfio/"):
    """{path: [{pid, program, vm}]} of files below *prefix* that processes have open. Needs root to see others'."""
    found: dict = {}
    for pid in sorted((name for name in system.entries("/proc") if name.isdigit()), key=int):
        folder = f"/proc/{pid}/fd"
        paths = {system.link(f"{folder}/{name}") or "" for name in system.entries(folder)}
        mine = sorted(path for path in paths if path.startswith(prefix) and path != f"{prefix}vfio")
        if mine:
            arguments = (system.read(f"/proc/{pid}/cmdline") or "").split("\0")
            program = (system.read(f"/proc/{pid}/comm") or "").strip() or None
            row = {"pid": int(pid), "program": program, "vm": guest(arguments)}
            for path in mine:
                found.setdefault(path, []).append(row)
    return found


def holders(opened, files):
    """The processes that have one of a device's files open, each once."""
    rows = {row["pid"]: row for path in sorted(files) for row in opened.get(path, [])}
    return [rows[pid] for pid in sorted(rows)]


def told(row):
    """``qemu-system-x86 (process 4711, virtual machine win11)``."""
    machine = f", virtual machine {row['vm']}" if row["vm"] else ""
    return f"{row['program'] or 'a program'} (process {row['pid']}{machine})"
