# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vLLM on this host: its services and environments, what ended servers have left, and which ports are taken."""

from __future__ import annotations

import hashlib
import json
import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_distributions import distributions, gone
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_instances import is_running, parse_units, unit_of
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_left import left_behind
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_ports import listening

UNITS = "/etc/systemd/system"
TEMPLATE = f"{UNITS}/vllm@.service"
PROGRAM = "/usr/local/libexec/gpufleet-vllm"
STAMP = "/etc/vllm/gpufleet.json"
PREFIX = "/opt/vllm"
DOORS = "/etc/nginx/conf.d"
DOOR = re.compile(r"vllm-[a-z0-9_-]+\.conf")
DROP_IN = re.compile(r"vllm@([a-z0-9][a-z0-9_.-]*)\.service\.d")
SAID = re.compile(r"^X-Gpufleet-(\w+)=(.*)$", re.MULTILINE)
PROPERTIES = ("Id", "ActiveState", "SubState", "UnitFileState", "NRestarts", "MainPID")
SERVER = re.compile(r"^ExecStart=(?:/\S+ .*? )??(/\S+)/bin/vllm ", re.MULTILINE)
MIB = 1024 * 1024


def observe(system):
    """``ansible_facts['nvidia'].vllm``; see RETURN of gpu_facts. Without services of ours no program is executed."""
    texts = drop_ins(system)
    stamp = stamp_of(system)
    places = {match[1] for text in texts.values() for match in SERVER.finditer(text)}
    return {
        "instances": instances(system, texts),
        "declared": stamp,
        "files": sums(system, [TEMPLATE, PROGRAM, *(f"{UNITS}/{drop_in_of(name)}" for name in texts)]),
        "environments": environments(system, places | ({stamp["environment"]} if stamp else set())),
        "doors": sums(system, [f"{DOORS}/{name}" for name in system.entries(DOORS) if DOOR.fullmatch(name)]),
        "left_behind": left_behind(system),
        "listening": listening(system),
        "shm_mib": shm_mib(system.read("/proc/mounts") or "", system.read("/proc/meminfo") or ""),
    }


def drop_in_of(name):
    return f"{unit_of(name)}.d/50-gpufleet.conf"


def drop_ins(system):
    """{instance: text} of the parts of units that the role has written."""
    names = [match[1] for match in map(DROP_IN.fullmatch, system.entries(UNITS)) if match]
    texts = {name: system.read(f"{UNITS}/{drop_in_of(name)}") for name in names}
    return {name: text for name, text in texts.items() if text is not None}


def instances(system, texts):
    """{name: {digest, port, gpus, active, enabled, state, restarts, pid}}"""
    if not texts:
        return {}
    argv = ["systemctl", "show", *map(unit_of, texts), f"--property={','.join(PROPERTIES)}"]
    shown = parse_units(system.run(argv, timeout=15).out)
    return {name: instance(text, shown.get(unit_of(name), {})) for name, text in texts.items()}


def instance(text, unit):
    said = dict(SAID.findall(text))
    state, sub = unit.get("ActiveState", "unknown"), unit.get("SubState", "")
    return {
        "digest": said.get("Digest"),
        "port": int(said["Port"]) if re.fullmatch(r"\d{1,5}", said.get("Port", "")) else None,
        "gpus": [int(word) for word in re.findall(r"\d+", said.get("Gpus", ""))],
        "active": is_running(state, sub),
        "enabled": unit.get("UnitFileState") in ("enabled", "enabled-runtime"),
        "state": f"{state} ({sub})" if sub else state,
        "restarts": int(unit["NRestarts"]) if unit.get("NRestarts", "").isdigit() else None,
        "pid": int(unit["MainPID"]) if unit.get("MainPID", "0").isdigit() and unit.get("MainPID") != "0" else None,
    }


def stamp_of(system):
    """What the role wrote when it last came to its end: {digest, environment, version}; None where it never did."""
    try:
        found = json.loads(system.read(STAMP) or "")
        return {key: str(found[key]) for key in ("digest", "environment", "version")}
    except (ValueError, KeyError, TypeError):
        return None


def sums(system, paths):
    """{path: SHA-256} of the files that are there."""
    found = {path: system.read_bytes(path) for path in paths}
    return {path: hashlib.sha256(data).hexdigest() for path, data in found.items() if data is not None}


def environments(system, places):
    """Environments with a vLLM, in the default folder and elsewhere in use: what is in them by one listing of each.

    :returns: ``[{path, package, version, current, packages, gone}]``
    """
    below = [f"{PREFIX}/{name}" for name in system.entries(PREFIX) if name.startswith("env-")]
    current = system.real(f"{PREFIX}/current") if system.link(f"{PREFIX}/current") else None
    found = []
    for path in sorted({*below, *places}):
        for python in system.entries(f"{path}/lib"):
            names = system.entries(f"{path}/lib/{python}/site-packages") if python.startswith("python") else []
            matches = [re.fullmatch(r"(vllm(?:_\w+)?)-([^-]+)\.dist-info", name) for name in names]
            rows = sorted((match for match in matches if match), key=lambda match: match[1] == "vllm")
            if rows:
                package, version = rows[0][1].replace("_", "-"), rows[0][2]
                row = {"path": path, "package": package, "version": version, "current": path == current}
                lost = gone(record_of(system, path), names)
                found.append({**row, "packages": distributions(names), "gone": lost})
    return found


def record_of(system, path):
    """What the module vllm_environment keeps beside an environment of its own; None where it is none."""
    try:
        return json.loads(system.read(f"{path}.json") or "")
    except ValueError:
        return None


def shm_mib(mounts, meminfo):
    """The size of /dev/shm in MiB; half of the memory where its mount names none; None where it is not mounted."""
    rows = [line.split() for line in mounts.splitlines()]
    options = [row[3] for row in rows if len(row) > 3 and row[1] == "/dev/shm"]
    if not options:
        return None
    size = re.search(r"(?:^|,)size=(\d+)([kmg%]?)", options[-1])
    if size and size[2] != "%":
        return int(size[1]) * {"": 1, "k": 1024, "m": MIB, "g": 1024 * MIB}[size[2]] // MIB
    total = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(total[1]) * (int(size[1]) if size else 50) // 100 // 1024 if total else None
