# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions and holds of named packages, from the books of the package manager."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver_install import is_locked

STATUS = "/var/lib/dpkg/status"
LOCAL = "/var/lib/pacman/local"
LOCKS = ("/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml", "/etc/zypp/locks")
INSTALLED = ("installed", "triggers-pending", "triggers-awaited")
UNREADABLE = {"unreadable": True}


def observe(system, manager, names):
    """{name: {version, held} | {unreadable} | None where it is not installed}

    ``name:architecture`` is the package of that one; without, that of the machine's own.
    """
    if not names:
        return {}
    if manager == "apt":
        return parse_status(system.read(STATUS), names)
    if manager in ("dnf", "zypper"):
        query = [
            "rpm",
            "-q",
            "--qf",
            r"%{NAME} %{ARCH} %{VERSION}-%{RELEASE}\n",
            "--",
            *(_rpm_name(name) for name in names),
        ]
        locks = "\n".join(system.read(path) or "" for path in LOCKS)
        answer = system.run(query, timeout=20)
        return parse_rpm(answer.out, names, locks)
    if manager == "pacman":
        return parse_pacman(system.entries(LOCAL), names, system.read("/etc/pacman.conf") or "")
    return {name: dict(UNREADABLE) for name in names}


def parse_status(text, names):
    """The same from dpkg's status file; one that is not wholly installed has its ``state`` as well."""
    if not text:
        return {name: dict(UNREADABLE) for name in names}
    bare = {name.partition(":")[0] for name in names} | {"dpkg"}
    blocks: dict = {}
    for block in text.split("\n\n"):
        name = block[len("Package: ") : block.find("\n")]  # dpkg writes this field first
        if name in bare:
            fields = dict(re.findall(r"^(Status|Version|Architecture): (.+)$", block, re.M))
            blocks[name, fields.get("Architecture")] = fields
    native = next((architecture for name, architecture in blocks if name == "dpkg"), None)
    return {name: _of_dpkg(blocks, name, native) for name in names}


def _of_dpkg(blocks, name, native):
    bare, _colon, architecture = name.partition(":")
    own = architecture in ("", native)
    fields = blocks.get((bare, native if own else architecture)) or (blocks.get((bare, "all")) if own else None)
    want, _flag, state = (f"{(fields or {}).get('Status', '')}  ").split(" ")[:3]
    if fields is None or state in ("", "not-installed", "config-files"):
        return None
    row = {"version": fields.get("Version"), "held": want == "hold"}
    return row if state in INSTALLED else {**row, "state": state}


def _rpm_name(name):
    return name.replace(":", ".")


def parse_rpm(text, names, locks):
    """The same from ``rpm -q``; several versions of a package stand beside each other."""
    rows = [line.split(" ") for line in text.splitlines() if re.fullmatch(r"\S+ \S+ \S+-\S+", line)]
    missing = set(re.findall(r"^package (\S+) is not installed$", text, re.M))
    found = {}
    for name in names:
        bare, _colon, architecture = name.partition(":")
        versions = sorted(row[2] for row in rows if row[0] == bare and architecture in ("", row[1]))
        held = any(is_locked(bare, version, locks) for version in versions)
        gone = None if _rpm_name(name) in missing else dict(UNREADABLE)
        found[name] = {"version": ", ".join(dict.fromkeys(versions)), "held": held} if versions else gone
    return found


def parse_pacman(entries, names, config):
    """The same from the names of pacman's folders; IgnorePkg is its hold."""
    ignored = {word for line in re.findall(r"^\s*IgnorePkg\s*=(.*)$", config, re.M) for word in line.split()}
    matches = [re.fullmatch(r"(.+)-([^-]+-[^-]+)", entry) for entry in entries]
    versions = {match[1]: match[2] for match in matches if match}
    return {name: {"version": versions[name], "held": name in ignored} if name in versions else None for name in names}
