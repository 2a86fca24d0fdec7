# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The licensing daemon's unit and the clock, from one question to systemd and one to whoever sets the clock."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_time import SYSTEMD, iso, parse
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout

UNIT = "nvidia-gridd.service"
CLOCKS = {
    "chrony.service": "chrony",
    "chronyd.service": "chrony",
    "systemd-timesyncd.service": "timesyncd",
    "ntp.service": "ntp",
    "ntpd.service": "ntp",
    "ntpsec.service": "ntp",
}
PROPERTIES = ("Id", "LoadState", "UnitFileState", "ActiveState", "SubState", "MainPID", "ActiveEnterTimestamp")
COMMAND = ["systemctl", "show", UNIT, *CLOCKS, f"--property={','.join(PROPERTIES)}"]
# Where the role writes a unit if none came with the daemon, and what it writes into it.
PATH, OURS = f"/etc/systemd/system/{UNIT}", "Managed by gpufleet.nvidia, role vgpu_guest"
ABSENT = {"present": False, "ours": False, "enabled": False, "active": False, "sub": None, "pid": None, "since": None}
TIMELESS = {"synchronized": None, "source": None, "offset_s": None}


def ask(system, argv, timeout, env=None):
    """What a program prints; empty where there is none, it fails, or it takes too long."""
    try:
        told = system.run(argv, timeout=timeout, env=env)
    except CommandTimeout:
        return ""
    return told.out if told.rc == 0 else ""


def parse_units(text):
    """{unit: {property: value}} of ``systemctl show`` for many units, with blank lines between them."""
    units = {}
    for block in re.split(r"\n\s*\n", text or ""):
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if unit.get("Id"):
            units[unit["Id"]] = unit
    return units


def service(unit, text=None):
    """The daemon's unit as the facts have it; *text* is that of PATH, where there is one.

    One whose file was removed is loaded until systemd reads its files again, and is ``bad`` meanwhile.
    """
    if (unit or {}).get("LoadState") not in ("loaded", "masked") or unit.get("UnitFileState") == "bad":
        return {**ABSENT, "ours": OURS in (text or "")}
    pid = unit.get("MainPID", "")
    return {
        "present": True,
        "ours": OURS in (text or ""),
        "enabled": unit.get("UnitFileState") in ("enabled", "enabled-runtime", "static", "alias"),
        "active": unit.get("ActiveState") == "active",
        "sub": unit.get("SubState") or None,
        "pid": int(pid) if pid.isdigit() and pid != "0" else None,
        "since": iso(since(unit)),
    }


def since(unit):
    """Seconds since the epoch at which the daemon was started, or None where it does not run."""
    if (unit or {}).get("ActiveState") != "active":
        return None
    return parse(unit.get("ActiveEnterTimestamp"), SYSTEMD)


def parse_tracking(text):
    """(synchronised, offset in seconds) of ``chronyc -c tracking``; (None, None) for anything else."""
    fields = (text or "").strip().split(",")
    if len(fields) < 14:
        return None, None
    try:
        offset = float(fields[4])
    except ValueError:
        return None, None
    synchronized = fields[-1].strip() != "Not synchronised"
    return synchronized, offset if synchronized else None


def clock(system, units):
    """Who sets the clock, and whether it is set; None where nobody tells."""
    running = [name for unit, name in CLOCKS.items() if units.get(unit, {}).get("ActiveState") == "active"]
    if running[:1] == ["chrony"]:
        synchronized, offset = parse_tracking(ask(system, ["chronyc", "-c", "tracking"], 10))
        if synchronized is not None:
            return {"synchronized": synchronized, "source": "chrony", "offset_s": offset}
    told = ask(system, ["timedatectl", "show", "--property=NTPSynchronized"], 10)
    answer = re.search(r"^NTPSynchronized=(yes|no)$", told, re.M)
    return {
        "synchronized": answer[1] == "yes" if answer else None,
        "source": running[0] if running else None,
        "offset_s": None,
    }


def observe(system):
    """(units, clock) of a machine that systemd runs."""
    units = parse_units(ask(system, COMMAND, 15, {"TZ": "UTC"}))
    return units, clock(system, units)
