# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the driver came to this machine: by packages, by NVIDIA's runfile, or not at all."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver_names import is_driver

RUNFILE_VERSION = re.compile(r"(?:driver version:?\s+|\(version:? )(\d+\.\d+(?:\.\d+)?)", flags=re.I)
RUNFILE_TRACES = ("/usr/bin/nvidia-uninstall", "/usr/bin/nvidia-installer")
STATES = ("installed", "half-configured", "unpacked", "half-installed")


def parse_dpkg_status(text):
    """Installed driver packages from dpkg's status file; held and half-configured ones say so.

    :returns: list of ``{name, version, source, held, state}``; a package of a foreign architecture has it in its name
    """
    packages = []
    native = re.search(r"\nPackage: dpkg\n(?:.+\n)*?Architecture: (\S+)\n", f"\n{text or ''}\n")
    for block in (text or "").split("\n\n"):
        if "nvidia" not in block and "libcuda" not in block:
            continue
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != " ")
        wanted, _flag, state = (fields.get("Status", "") + "  ").split(" ")[:3]
        name = fields.get("Package", "")
        source = fields.get("Source", name).split(" ")[0]
        state = "installed" if state.startswith("triggers-") else state
        if state in STATES and is_driver(name, source):
            foreign = native and fields.get("Architecture") not in (native[1], "all")
            packages.append(
                {
                    "name": f"{name}:{fields.get('Architecture')}" if foreign else name,
                    "version": fields.get("Version"),
                    "source": source,
                    "held": wanted == "hold",
                    "state": state,
                }
            )
    return packages


def parse_rpm(text, locks):
    """Lines of ``name version source`` from rpm; *locks* is the text of the lists of locks of dnf and zypper."""
    packages = []
    for line in (text or "").splitlines():
        words = line.split(" ")
        if len(words) == 3 and is_driver(words[0], ""):
            held = is_locked(words[0], words[1], locks)
            packages.append(
                {"name": words[0], "version": words[1], "source": words[2], "held": held, "state": "installed"}
            )
    return packages


def is_locked(name, version, locks):
    """Whether a line of a list of locks names the package: dnf4 ``name-0:1.2-3.*``, dnf5 ``name = "…"``, zypper
    ``solvable_name: …``; each may be a pattern, and one with ``!`` before it locks nothing."""
    upstream = version.split(":")[-1]
    for line in locks.splitlines():
        words = re.fullmatch(r"""\s*(?:name\s*=\s*["']|solvable_name:\s*)?([^\s"'#!][^\s"']*)["']?\s*""", line)
        pattern = re.sub(r"-\d+:", "-", words[1]) if words else ""
        if pattern and any(fnmatchcase(each, pattern) for each in (name, f"{name}-{upstream}", f"{name}-{upstream}.x")):
            return True
    return False


def parse_pacman(text, config):
    """Lines of ``name version`` from pacman; IgnorePkg in *config* is its hold."""
    ignored = {word for line in re.findall(r"^\s*IgnorePkg\s*=(.*)$", config, flags=re.M) for word in line.split()}
    rows = [line.split(" ") for line in (text or "").splitlines() if line.count(" ") == 1]
    return [
        {"name": name, "version": version, "source": name, "held": name in ignored, "state": "installed"}
        for name, version in rows
        if is_driver(name, "")
    ]


def packages(system, package_manager):
    if package_manager == "apt":
        return parse_dpkg_status(system.read("/var/lib/dpkg/status"))
    if package_manager in ("dnf", "zypper"):
        query = ["rpm", "-qa", "--qf", r"%{NAME} %{VERSION}-%{RELEASE} %{SOURCERPM}\n"]
        places = ("/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml", "/etc/zypp/locks")
        return parse_rpm(system.run(query, timeout=20).out, "\n".join(system.read(path) or "" for path in places))
    if package_manager == "pacman":
        return parse_pacman(system.run(["pacman", "-Q"], timeout=20).out, system.read("/etc/pacman.conf") or "")
    return []


def runfile(system):
    """What NVIDIA's installer left of itself, as ``{uninstaller, version}``, or None; a link is another's doing."""
    uninstaller, installer = RUNFILE_TRACES
    there = [path for path in RUNFILE_TRACES if system.exists(path) and system.link(path) is None]
    if not there:
        return None
    found = (
        uninstaller
        if uninstaller in there or system.link(uninstaller) in (installer, "nvidia-installer")
        else installer
    )
    # the installer's own list of what it laid down; its log is rewritten by every attempt, also by one that failed
    listed = re.match(r"\S+ \((\d+\.\d+(?:\.\d+)?)\)", system.read("/var/lib/nvidia/log") or "")
    logged = RUNFILE_VERSION.findall(system.read("/var/log/nvidia-installer.log") or "")
    return {"uninstaller": found, "version": listed.group(1) if listed else logged[-1] if logged else None}


def observe(system, package_manager):
    found = packages(system, package_manager)
    traces = runfile(system)
    method = {(True, True): "mixed", (True, False): "packages", (False, True): "runfile", (False, False): "none"}
    return {"method": method[bool(found), traces is not None], "packages": found, "runfile": traces}
