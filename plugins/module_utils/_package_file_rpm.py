# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A .rpm file: installed by dnf or zypper with its dependencies, after it has told that it would remove nothing."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _guarded_packages_other as dry
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_table as table
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_plan import matches
from ansible_collections.gpufleet.nvidia.plugins.module_utils._runfile_header import describe_other
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

KIND = "rpm"
# A file that the owner's checksum vouches for needs no signature of a repository.
FILE_OPTIONS = {"dnf": ["--nogpgcheck"], "zypper": ["--allow-unsigned-rpm"]}

Installed = namedtuple("Installed", "version held whole package")


def installed(system, manager):
    """{name: Installed} of everything that rpm knows."""
    row = table.TABLE.get(manager)
    if row is None or manager == "pacman":
        raise NvidiaError(f"{manager} takes no .deb and no .rpm file; use NVIDIA's runfile on this host.")
    result = system.run(list(row.query), timeout=120)
    if result.rc != 0:
        raise NvidiaError(f"rpm failed, so the installed packages are not known: {result.err.strip()}")
    packages = table.parse_installed(result.out)
    held = table.parse_held(system.run(list(row.held), timeout=120).out, list(packages))
    return {name: Installed(version, name in held, True, None) for name, (version, _source) in packages.items()}


def same(one, other):
    return other in (one, table.upstream(one))


def machine(system):
    return system.run(["uname", "-m"]).out.strip()


def describe(system, path):
    """(name, version, architecture) that the file tells.

    :raises NvidiaError: when it is no package, or is damaged
    """
    told = system.run(
        ["rpm", "-qp", "--nosignature", "--qf", "%{NAME}\\n%{VERSION}-%{RELEASE}\\n%{ARCH}\\n", path], timeout=120
    )
    words = told.out.split()
    if told.rc != 0 or len(words) != 3:
        look = describe_other(system.read_bytes(path, 4096) or b"")
        raise NvidiaError(
            f"{path} is no sound package: {look}; rpm says: {told.err.strip()[-200:] or 'nothing'}. It was not"
            " installed, and nothing was changed."
        )
    return tuple(words)


def argv(manager, path):
    install = list(table.TABLE[manager].install)
    return [*install, *FILE_OPTIONS[manager], path]


def simulate(system, params, manager, asked, path, before, _apply):
    """Names of what would come along.

    :raises NvidiaError: when the manager finds no way, or would touch a driver, a kernel, or remove something
    """
    result = system.run(dry.DRY[manager](argv(manager, path)), timeout=300)
    text = result.out + result.err
    names = dry.parse_dry(manager, result.out)
    if not names and result.rc != 0 and "Operation aborted" not in text:
        said = "\n".join(text.strip().splitlines()[-10:])
        raise NvidiaError(f"{manager} finds no way to install {asked.file}; nothing was changed.\n{said}")
    removed = [name for name in parse_removed(result.out) if not matches(name, params["replaces"])]
    touched = [name for name in dry.touches_driver(names) if name != asked.name and name not in removed]
    if removed or touched:
        raise NvidiaError(
            f"{asked.file} is refused: {manager} would {'remove ' + ', '.join(removed) if removed else ''}"
            f"{' and ' if removed and touched else ''}{'touch ' + ', '.join(touched) if touched else ''}. Nothing was"
            " changed. Remove another driver first, with the role that installed it (state absent)."
        )
    return sorted(name for name in names if name not in before and name != asked.name)


def parse_removed(text):
    """Names under dnf's ``Removing`` headings, or after zypper's sentence about what is going to be REMOVED."""
    found = re.findall(r"^Removing[^\n]*:\n((?: +\S.*\n)+)", text, re.M)
    names = [line.split()[0] for block in found for line in block.splitlines()]
    zypper = re.findall(r"packages? (?:is|are) going to be REMOVED:\n((?: {2}.*\n?)+)", text)
    return [*names, *(word for block in zypper for word in block.split())]


def install(system, params, manager, asked, path, _kept):
    """:raises NvidiaError: with the manager's own lines"""
    result = system.run(argv(manager, path), timeout=params["timeout"])
    if result.rc != 0:
        said = "\n".join((result.out + "\n" + result.err).strip().splitlines()[-20:])
        raise NvidiaError(f"{manager} could not install {asked.file} (exit status {result.rc}).\n{said}")


def hold(system, params, manager, asked):
    result = system.run([*table.TABLE[manager].hold, asked.name], timeout=params["timeout"])
    if result.rc != 0:
        raise NvidiaError(
            f"{asked.name} could not be locked: {(result.err or result.out).strip()[-200:]}. With dnf the plugin"
            " versionlock is needed (python3-dnf-plugin-versionlock)."
        )


def plan_removal(_system, _params, manager, names, before):
    """([argv], names of what goes)."""
    row = table.TABLE[manager]
    held = [name for name in names if before[name].held]
    release = [[*row.release, *held]] if held else []
    return [*release, [*row.remove, *names]], names


def remove(system, params, words):
    for line in words:
        result = system.run(line, timeout=params["timeout"])
        if result.rc != 0:
            raise NvidiaError(f"`{' '.join(line)}` failed: {(result.err or result.out).strip()[-300:]}")
