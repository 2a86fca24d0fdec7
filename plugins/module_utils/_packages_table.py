# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package managers as data: the commands of dnf, zypper and pacman, and what belongs to a driver there.

A new package manager is a new row. apt is no row: it has files of its own, since it is asked to simulate first.
"""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver_names import is_driver

# query: prints name, version and source, tab separated (pacman: name version); pinned: word for an exact version or
# None; hold, release, held: argv, or None where holding is a matter of a configuration file
Manager = namedtuple("Manager", "name query install pinned upgrade remove hold release held")

RPM_QUERY = ("rpm", "-qa", "--qf", "%{NAME}\\t%{VERSION}-%{RELEASE}\\t%{SOURCERPM}\\n")

TABLE = {
    "dnf": Manager(
        "dnf",
        RPM_QUERY,
        ("dnf", "-y", "--setopt=install_weak_deps=False", "install"),
        "{name}-{version}*",
        ("dnf", "-y", "upgrade"),
        ("dnf", "-y", "remove"),
        ("dnf", "-y", "versionlock", "add"),
        ("dnf", "-y", "versionlock", "delete"),
        ("dnf", "-q", "-C", "versionlock", "list"),
    ),
    "zypper": Manager(
        "zypper",
        RPM_QUERY,
        ("zypper", "--non-interactive", "install", "--no-recommends", "--auto-agree-with-licenses"),
        "{name}={version}",
        ("zypper", "--non-interactive", "update", "--no-recommends", "--auto-agree-with-licenses"),
        ("zypper", "--non-interactive", "remove", "--clean-deps"),
        ("zypper", "--non-interactive", "addlock"),
        ("zypper", "--non-interactive", "removelock"),
        ("zypper", "--non-interactive", "locks"),
    ),
    "pacman": Manager(
        "pacman",
        ("pacman", "-Q"),
        ("pacman", "-S", "--noconfirm", "--needed"),
        None,
        ("pacman", "-S", "--noconfirm"),
        ("pacman", "-Rns", "--noconfirm"),
        None,
        None,
        None,
    ),
}


def parse_installed(text):
    """{name: (version, source)} from what the query prints."""
    packages = {}
    for line in text.splitlines():
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) >= 2:
            source = fields[2].rsplit("-", 2)[0] if len(fields) > 2 and fields[2].endswith(".src.rpm") else fields[0]
            packages[fields[0]] = (fields[1], source)
    return packages


def parse_held(text, names):
    """Those of the names that the listing of locks holds: dnf prints NAME-EPOCH:VERSION or
    `Package name:`, zypper a table."""
    found = []
    for name in names:
        pattern = (
            rf"^({re.escape(name)}-\d[^\s]*:?\S*|Package name: {re.escape(name)}|\d+ *\| *{re.escape(name)} *\|.*)\s*$"
        )
        if re.search(pattern, text, re.M):
            found.append(name)
    return found


def closure(packages):
    """Names of the driver's installed packages, sorted."""
    return sorted(n for n, (_v, source) in packages.items() if is_driver(n, source))


def upstream(version):
    """`580.159.04-1.el9` gives `580.159.04`; an epoch goes as well."""
    return version.split(":", 1)[-1].rsplit("-", 1)[0]
