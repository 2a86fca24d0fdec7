# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions about the driver's packages: what to ask the package manager for, and what to refuse. Pure."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._dpkg import (
    closure,
    driver_version,
    is_coupled,
    is_dkms,
    is_driver,
    is_installed,
    upstream,
)

# kind: runfile | configure | transaction | pending | build | hold | release | purge | clean; data: what that one needs
Step = namedtuple("Step", "kind says data")

# after: {name: version} of the driver, names only where the index is not known yet; skipped: why nothing is built
Plan = namedtuple("Plan", "steps after kernels refreshed skipped")

# ask: words for the command line; keep: {name: version} that must not move; fit: upstream version for all; moves: bool
Request = namedtuple("Request", "ask keep fit moves")

KERNEL_IMAGE = re.compile(
    r"(linux-image|linux-modules|linux-modules-extra|linux-signed-image|linux-image-unsigned)-(?!nvidia).*"
    r"|(pve|proxmox)-kernel-.*|raspberrypi-kernel|linux-(generic|virtual|aws|azure|gcp|oracle)(-hwe.*)?"
)


def matches(name, patterns):
    """True when a package name fits one of the patterns, where `*` stands for anything."""
    bare = name.split(":", 1)[0]
    return any(re.fullmatch(re.escape(p).replace(r"\*", ".*"), text) for p in patterns for text in (bare, name))


def missing(packages, asked):
    """Those of the asked names that dpkg does not call installed, in the order asked."""
    return [name for name in dict.fromkeys(asked) if not is_installed(packages.get(name))]


def half_done(packages):
    """The driver's packages that an interrupted run left unpacked or half configured."""
    return [
        name for name in closure(packages) if packages[name].status in ("unpacked", "half-configured", "half-installed")
    ]


def conflicting(packages, patterns, asked):
    """Installed packages that fit the patterns to remove and are not asked for."""
    return sorted(
        name
        for name, pkg in packages.items()
        if pkg.status != "config-files" and matches(name, patterns) and name not in asked
    )


def fits(version, wanted):
    """True when a package's version is *wanted*: an upstream version, a whole version, or a branch such as ``580``."""
    bare = upstream(version)
    return wanted in (bare, version) or (wanted.isdigit() and bare.startswith(wanted + "."))


def exact(versions, wanted):
    """The newest of a package's versions that fits; None: none does."""
    return next((version for version in versions if fits(version, wanted)), None)


def goal(packages, version, branch, upgrade):
    """What the driver's packages must be of, a version or a branch; None: what is installed is well as it is.

    A branch counts only while some package is of another one, or for an upgrade: within it nothing moves by itself.
    """
    if version or not branch:
        return version
    coupled = [pkg for name, pkg in packages.items() if name in closure(packages) and is_coupled(pkg)]
    return branch if upgrade or not coupled or any(not fits(pkg.version, branch) for pkg in coupled) else None


def request(packages, asked, headers, version=None, upgrade=False, available=None):
    """What to ask apt for, as Request; an empty `ask` means that everything is as it should be.

    packages: {name: Package}; asked, headers: names; version: exact upstream version, branch, or None; upgrade: take
    the archive's newest; available: {name: [versions, newest first]} of the asked names and the closure.
    """
    available = available or {}
    installed = closure(packages)
    absent = missing(packages, asked)
    absent_headers = missing(packages, headers)
    if version:
        newest = upgrade and version.isdigit()
        movers = [
            name
            for name in dict.fromkeys([*asked, *installed])
            if is_installed(packages.get(name))
            and exact(available.get(name, []), version)
            and (newest or not fits(packages[name].version, version))
            and (is_coupled(packages[name]) or name in asked)
        ]
        stay = {} if newest else {n: packages[n].version for n in installed if not is_coupled(packages[n])}
        return Request(absent + movers + absent_headers, stay, version, bool(movers))
    if upgrade:
        known = [name for name in dict.fromkeys([*asked, *installed]) if name in available or name in absent]
        return Request(known + absent_headers, {}, None, True)
    keep = {name: packages[name].version for name in installed}
    return Request(absent + absent_headers, keep, driver_version(packages) if absent else None, False)


def needs_versions(packages, asked, version):
    """True when something does not carry the wanted version yet, so that the index must be looked at."""
    names = dict.fromkeys([*(n for n in asked if is_driver_like(packages, n)), *closure(packages)])
    coupled = [packages[n] for n in names if n in packages and is_coupled(packages[n])]
    return bool(missing(packages, asked)) or not coupled or any(not fits(p.version, version) for p in coupled)


def is_driver_like(packages, name):
    """True for an installed package of the driver."""
    return name in packages and is_driver(name, packages[name].source)


def version_blocker(asked, version, available):
    """Why the exact version cannot be had, or None: the archive has it for none of the asked packages."""
    if any(exact(available.get(name, []), version) for name in asked):
        return None
    offered = sorted(
        {upstream(v) for name in asked for v in available.get(name, []) if re.match(r"\d{3,}\.\d", upstream(v))}
    )
    offers = f"they offer {', '.join(offered)}" if offered else "they offer no driver under the asked package names"
    what = "branch" if version.isdigit() else "version"
    return (
        f"Driver {what} {version} is in none of this host's repositories ({offers}). Ask for one of those, or add a "
        "repository that has it."
    )


def unknown_sentence(names):
    """Names that no repository of the host has, and what to do."""
    return (
        f"No repository that this host's package index knows has {', '.join(names)}. Check the names, and that the "
        "components or the repository with NVIDIA's driver are enabled (Debian: contrib, non-free, non-free-firmware)."
    )


def refusals(simulation, packages, asked, removable=(), kernel_change_ok=False):
    """Sentences for what a simulated transaction would do beside the driver; [] when it may go on."""
    lost = sorted(
        name
        for name in simulation.removes
        if not is_driver(name, packages[name].source if name in packages else name)
        and name not in asked
        and not matches(name, removable)
    )
    kernels = sorted(name for name in simulation.installs if KERNEL_IMAGE.fullmatch(name.split(":", 1)[0]))
    sentences = []
    if lost:
        sentences.append(
            "The transaction would remove packages that are not the driver's: {}. Nothing was changed. Look with "
            "`apt-get -s install` at what conflicts, and remove them yourself or name them in `remove`.".format(
                ", ".join(lost)
            )
        )
    if kernels and not kernel_change_ok:
        sentences.append(
            "The transaction would install or upgrade kernel images: {}. Nothing was changed. Set allow_kernel_change "
            "(of the role: nvidia_driver_kernel_change_ok) to accept a new kernel, or ask for headers of a kernel that "
            "is installed.".format(", ".join(kernels))
        )
    return sentences


def moved(simulation):
    """{name: (old, new)} of installed packages that would get another version."""
    return {name: pair for name, pair in simulation.installs.items() if pair[0] and pair[0] != pair[1]}


def unasked_moves(simulation, packages, request_):
    """The driver's packages that would change version though nobody asked for it; must be empty."""
    return (
        []
        if request_.moves
        else sorted(n for n in moved(simulation) if n in packages and is_driver(n, packages[n].source))
    )


def after_transaction(packages, simulation, sources):
    """{name: (version, source)} of the installed packages once the simulated transaction is done."""
    result = {n: (p.version, p.source) for n, p in packages.items() if p.status != "config-files"}
    for name in simulation.removes:
        result.pop(name, None)
    for name, (_old, new) in simulation.installs.items():
        known = packages.get(name)
        result[name] = (new, sources.get(name.split(":", 1)[0]) or (known.source if known else name))
    return result


def driver_after(after):
    """{name: version} of the driver's part of what after_transaction() gave."""
    return {name: version for name, (version, source) in sorted(after.items()) if is_driver(name, source)}


def dkms_version(names_versions):
    """Upstream version of the driver that DKMS builds, from {name: version}; None when the modules are precompiled."""
    return next((upstream(v) for n, v in sorted(names_versions.items()) if is_dkms(n)), None)


def says_transaction(simulation):
    """One line for the reader: what comes, what moves, what goes."""
    new = sorted(n for n, (old, _v) in simulation.installs.items() if not old)
    parts = []
    if new:
        parts.append("install " + ", ".join(f"{n} {simulation.installs[n][1]}" for n in new))
    if moved(simulation):
        parts.append(
            "move " + ", ".join("{} {} to {}".format(n, *pair) for n, pair in sorted(moved(simulation).items()))
        )
    if simulation.removes:
        parts.append("remove " + ", ".join(sorted(simulation.removes)))
    text = "; ".join(parts) or "finish the configuration of packages"
    return text[0].upper() + text[1:]
