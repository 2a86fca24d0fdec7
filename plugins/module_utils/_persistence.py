# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nvidia-persistenced: the unit as systemd sees it, and the mode that the GPUs are in."""

from __future__ import annotations

import re

UNIT = "nvidia-persistenced.service"
SOCKET = "/run/nvidia-persistenced/socket"
PROPERTIES = (
    "LoadState",
    "FragmentPath",
    "UnitFileState",
    "ActiveState",
    "SubState",
    "Result",
    "DropInPaths",
    "ExecStart",
    "ConditionResult",
    "StopWhenUnneeded",
)
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
)


def parse_show(text):
    """``systemctl show`` as a dictionary of its lines."""
    return dict(line.split("=", 1) for line in (text or "").splitlines() if "=" in line)


def parse_command(exec_start):
    """The command line in systemd's rendering ``{ path=… ; argv[]=… ; ignore_errors=… }``, or ""."""
    found = re.search(r"argv\[\]=(.*?) ; ", (exec_start or "") + " ; ")
    return found[1].strip() if found else ""


def parse_flags(command):
    """(persistence mode on?, UVM persistence on?, user) of a command line of the daemon; the daemon's default is on."""
    words = command.split()
    user = next((words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-u", "--user")), None)
    user = user or next((word.split("=", 1)[1] for word in words if word.startswith("--user=")), None)
    return "--no-persistence-mode" not in words, "--uvm-persistence-mode" in words, user


def parse_unit(shown):
    """The unit's part of the facts from ``systemctl show``; None when systemd knows no such unit."""
    if shown.get("LoadState") not in ("loaded", "masked"):
        return None
    command = parse_command(shown.get("ExecStart"))
    mode, uvm, user = parse_flags(command)
    return {
        "path": shown.get("FragmentPath") or None,
        "load_state": shown.get("LoadState"),
        "unit_file_state": shown.get("UnitFileState") or None,
        "active_state": shown.get("ActiveState"),
        "sub_state": shown.get("SubState"),
        "result": shown.get("Result"),
        "drop_ins": (shown.get("DropInPaths") or "").split(),
        "exec_start": command,
        "persistence_mode": mode if command else None,
        "uvm": uvm,
        "user": user,
        "condition_failed": shown.get("ConditionResult") == "no" and shown.get("ActiveState") != "active",
        "stop_when_unneeded": shown.get("StopWhenUnneeded") == "yes",
    }


def mode(unit, gpus):
    """daemon, legacy, off, or unknown when no GPU says so."""
    states = [gpu.get("persistence_mode") for gpu in gpus]
    if not states or any(state is None for state in states):
        return "unknown"
    if not all(states):
        return "off"
    active = unit is not None and unit["active_state"] == "active" and unit["persistence_mode"]
    return "daemon" if active else "legacy"


def observe(system, gpus, service_manager):
    unit = None
    if service_manager == "systemd" and any(system.exists(f"{folder}/{UNIT}") for folder in UNIT_FOLDERS):
        shown = system.run(["systemctl", "show", UNIT, f"--property={','.join(PROPERTIES)}"], timeout=15)
        unit = parse_unit(parse_show(shown.out))
    if unit is not None:
        paths = [path for path in [unit["path"], *unit["drop_ins"]] if path]
        unit["texts"] = {path: system.read(path) or "" for path in paths}
    return {
        "unit": unit,
        "daemon": system.which("nvidia-persistenced"),
        "mode": mode(unit, gpus),
        "socket": system.exists(SOCKET),
    }
