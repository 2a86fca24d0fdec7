# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role manages on a host, as it is: files, packages, units and facts. Observed alike to record and to verify."""

from __future__ import annotations

import hashlib
import json

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _record_packages

UNREADABLE = {"unreadable": True}
PROPERTIES = ("Id", "Names", "LoadState", "ActiveState", "UnitFileState")
# The subsets that decide a fact; without one of them it says something else, and is not compared.
SUBSETS_OF = {
    "system": ("system",),
    "repositories": ("system",),
    "kernel": ("kernel",),
    "pci": ("pci",),
    "nouveau": ("pci",),
    "place": ("pci", "nvml"),
    "driver": ("driver",),
    "grid": ("driver",),
    "coherence": ("driver", "nvml"),
    "nvml": ("nvml",),
    "gpus": ("nvml",),
    "persistence": ("persistence", "nvml"),
    "cuda": ("cuda",),
    "nccl": ("nccl",),
    "gridd": ("gridd", "nvml"),
    "mok": ("secure_boot",),
    "mdev": ("mdev", "nvml"),
    "vllm": ("vllm",),
}


def subsets_of(paths):
    """The subsets that facts at these paths need; a path of no subset needs none."""
    return sorted({name for path in paths for name in SUBSETS_OF.get(path.split(".")[0], ())})


def pick(value, path):
    """The value at a dotted path; ``*`` goes over a list, or over a dictionary with its keys."""
    return _pick(value, path.split("."))


def _pick(value, words):
    if not words:
        return value
    if words[0] == "*":
        if isinstance(value, dict):
            return {key: _pick(row, words[1:]) for key, row in value.items()}
        return [_pick(row, words[1:]) for row in value] if isinstance(value, list) else None
    return _pick(value.get(words[0]), words[1:]) if isinstance(value, dict) else None


def files(system, paths):
    """{path: {sha256, mode, owner} | {link} | {folder, mode, owner} | {unreadable} | None where nothing is}"""
    names = [_names(system, path) for path in ("/etc/passwd", "/etc/group")] if paths else []
    return {path: _file(system, path, names) for path in paths}


def _file(system, path, names):
    link = system.link(path)
    if link is not None:
        return {"link": link}
    found = system.stat(path)
    if found is None:
        return None
    mode, *ids = found
    rights = {"mode": f"{mode:04o}", "owner": ":".join(known.get(id, str(id)) for known, id in zip(names, ids))}
    if system.entries(path) or system.exists(f"{path}/."):
        return {"folder": True, **rights}
    data = system.read_bytes(path)
    return dict(UNREADABLE) if data is None else {"sha256": hashlib.sha256(data).hexdigest(), **rights}


def _names(system, path):
    """{number: name} of /etc/passwd or /etc/group."""
    rows = [line.split(":") for line in (system.read(path) or "").splitlines()]
    return {int(row[2]): row[0] for row in reversed(rows) if len(row) > 2 and row[2].isdecimal()}


def units(system, names, service_manager):
    """{unit: {enabled, active} | {unreadable} | None where systemd knows no such unit}; one program for all."""
    if not names or service_manager != "systemd":
        return dict.fromkeys(names)
    argv = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *names]
    answer = system.run(argv, timeout=15)
    blocks = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in answer.out.split("\n\n")
    ]
    known = {name: block for block in blocks for name in (block.get("Names") or block.get("Id") or "").split()}
    return {name: _unit(known.get(name)) for name in names}


def _unit(block):
    if block is None:
        return dict(UNREADABLE)
    if block.get("LoadState") == "not-found":
        return None
    return {"enabled": block.get("UnitFileState") or "", "active": block.get("ActiveState") or ""}


def observe(system, names, facts):
    """``{files, packages, units, facts}`` of the names, as they are now.

    :param names: ``{files, packages, units, facts}``, each the names to look at
    :param facts: what gpu_facts has gathered; a fact whose subset is not among it is left out
    """
    about = facts.get("system") or {}
    gathered = set(facts.get("gathered") or ())
    known = [path for path in names["facts"] if gathered.issuperset(subsets_of([path]))]
    return {
        "files": files(system, names["files"]),
        "packages": _record_packages.observe(system, about.get("package_manager"), names["packages"]),
        "units": units(system, names["units"], about.get("service_manager")),
        "facts": json.loads(json.dumps({path: pick(facts, path) for path in known})),
    }
