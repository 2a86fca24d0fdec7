# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the driver is that of a vGPU guest (GRID), and whether its packages are protected from a replacement."""

from __future__ import annotations

import re

GRIDD = "/usr/bin/nvidia-gridd"  # the licensing daemon: only the guest driver brings it, as a package and as a runfile
STATUS = "/var/lib/dpkg/status"
PREFERENCES = "/etc/apt/preferences"
LOCKS = ("/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml", "/etc/zypp/locks")


def parse_package(text):
    """``{name, version, held}`` of the guest driver's package in dpkg's status file, or None."""
    found = re.search(r"^Package: (nvidia-linux-grid-\S+)\n((?:.+\n?)*)", text or "", re.M)
    if found is None:
        return None
    status = re.search(r"^Status: (\S+) \S+ installed$", found[2], re.M)
    version = re.search(r"^Version: (\S+)$", found[2], re.M)
    if status is None or version is None:
        return None
    return {"name": found[1], "version": version[1], "held": status[1] == "hold"}


def keeps_out(text):
    """True for preferences that forbid another driver: a negative priority for its packages."""
    for stanza in re.split(r"\n\s*\n", text or ""):
        names = re.search(r"^Package:(.*(?:\n[ \t].*)*)", stanza, re.M)
        priority = re.search(r"^Pin-Priority:\s*(-\d+)", stanza, re.M)
        if (
            names
            and priority
            and re.search(r"cuda-drivers|nvidia-(driver|\*|open)|\*nvidia\*|libnvidia-compute", names[1])
        ):
            return True
    return False


def observe(system, install):
    """``{installed, gridd, package, protected_by}``: see RETURN of gpu_facts.

    :param install: the fact ``driver.install``
    """
    gridd = GRIDD if system.exists(GRIDD) else None
    package = parse_package(system.read(STATUS)) if gridd else None
    names = sorted(name for name in system.entries(f"{PREFERENCES}.d") if not name.startswith("."))
    files = [PREFERENCES, *(f"{PREFERENCES}.d/{name}" for name in names)]
    protected = [path for path in files if keeps_out(system.read(path))]
    if gridd:
        protected += [path for path in LOCKS if re.search(r"^(?!\s*#).*nvidia", system.read(path) or "", re.M)]
    held = bool(package and package["held"]) or any(row.get("held") for row in (install or {}).get("packages") or [])
    if gridd and held:
        protected = ["hold", *protected]
    return {"installed": gridd is not None, "gridd": gridd, "package": package, "protected_by": protected}
