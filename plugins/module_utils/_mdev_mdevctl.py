# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mdevctl has defined, which version it is, and whether its autostart really works on this host."""

from __future__ import annotations

import json
import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import parse_pairs

FOLDER = "/etc/mdevctl.d"
SCRIPTS = "scripts.d"
PARAMETERS = "nvidia/vgpu_params"
RULES = [f"{folder}/udev/rules.d/60-mdevctl.rules" for folder in ("/etc", "/run", "/usr/lib", "/lib")]
CALLED = re.compile(r"(/[\w./-]*mdevctl) +start-parent-mdevs")
VERSION = re.compile(r"mdevctl +(\d+(?:\.\d+)+)")

# parameters: of vgpu_params; rest: [[path, value]] of other attributes, which are kept
Definition = namedtuple("Definition", "uuid parent type autostart parameters rest")


def parse_definition(uuid, parent, text):
    """A Definition from mdevctl's JSON, or None for anything that is none."""
    try:
        told = json.loads(text or "")
    except ValueError:
        return None
    if not isinstance(told, dict) or not isinstance(told.get("mdev_type"), str):
        return None
    attributes = told.get("attrs")
    listed = attributes if isinstance(attributes, list) else []
    pairs = [(name, str(row[name])) for row in listed if isinstance(row, dict) for name in row]
    parameters: dict = {}
    for name, text in pairs:
        parameters = parse_pairs(text) if name == PARAMETERS else parameters
    rest = tuple(pair for pair in pairs if pair[0] != PARAMETERS)
    return Definition(uuid, parent, told["mdev_type"], told.get("start") == "auto", parameters, rest)


def definitions(system):
    """Every Definition below /etc/mdevctl.d; a file that cannot be understood is left out."""
    found = []
    for parent in system.entries(FOLDER):
        for uuid in system.entries(f"{FOLDER}/{parent}") if parent != SCRIPTS else []:
            found.append(parse_definition(uuid, parent, system.read(f"{FOLDER}/{parent}/{uuid}")))
    return [definition for definition in found if definition]


def autostart(system):
    """(works, reason): whether udev starts defined devices when their parent appears, and why not."""
    path = next((path for path in RULES if system.read(path) is not None), None)
    if path is None:
        return False, "no udev rule 60-mdevctl.rules is there"
    programs = sorted(set(CALLED.findall(system.read(path))))
    missing = [program for program in programs if not system.exists(system.real(program))]
    if not programs:
        return False, f"{path} does not call mdevctl start-parent-mdevs"
    if missing:
        return False, f"{path} calls {missing[0]}, which is not there"
    return True, None


def observe(system):
    """``{version, path, autostart_works, reason}``; version None with the reason where mdevctl is absent or fails."""
    program = system.which("mdevctl")
    if program is None:
        return {"version": None, "path": None, "autostart_works": False, "reason": "mdevctl is not installed"}
    told = system.run(["mdevctl", "--version"], timeout=10)
    version = VERSION.search(told.out) if told.rc == 0 else None
    works, reason = autostart(system)
    if not version:
        words = (told.err or told.out).strip().splitlines()
        works, reason = False, f"mdevctl --version failed: {words[0] if words else told.rc}"
    return {"version": version[1] if version else None, "path": program, "autostart_works": works, "reason": reason}


def usable(system):
    """Whether mdevctl is there with the folders without which each of its commands fails."""
    return system.which("mdevctl") is not None and system.exists(FOLDER)
