# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing a driver with apt: its whole closure, what only it needed, and what DKMS keeps of it."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_apt import runfile_steps
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_plan import Plan, Step
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError


def plan_absent(system, params, before):
    """Steps that remove the driver's whole closure and what became unneeded by that, as Plan."""
    packages = before.packages
    steps = runfile_steps(before, True) if params["remove_runfile"] else []
    names = sorted(
        name
        for name, pkg in packages.items()
        if _dpkg.is_driver(name, pkg.source)
        or (pkg.status != "config-files" and (name in params["packages"] or decide.matches(name, params["remove"])))
    )
    if names:
        orphans = find_orphans(system, params, packages, names)
        more = f"; no longer needed: {', '.join(orphans)}" if orphans else ""
        steps.append(Step("purge", f"Purge {', '.join(names)}{more}", (names, orphans)))
    version = decide.dkms_version({n: packages[n].version for n in _dpkg.closure(packages)})
    trees = [item for item in before.built if item.version != version]
    if trees and (before.runfile is None or params["remove_runfile"]):
        says = "Remove DKMS trees that were left: " + ", ".join(f"{item.name}/{item.version}" for item in trees)
        steps.append(Step("clean", says, None))
    return Plan(steps, {}, before.kernels, False, None)


def find_orphans(system, params, packages, names):
    """Packages that only the purged ones needed: apt's autoremove set after minus before, without dkms and headers.

    A package that depends on the driver goes with it when it came automatically itself; one that somebody asked for
    does not.

    :raises NvidiaError: names the packages that somebody asked for and that depend on the driver
    """
    stay = [n for n in packages if n == "dkms" or n.startswith(("linux-headers-", "linux-image-"))]
    keep = [name + "+" for name in stay if _dpkg.is_installed(packages[name]) and name not in names]
    runs = []
    for words in (
        ["autoremove"],
        ["purge", "--allow-change-held-packages", *names],
        ["purge", "--allow-change-held-packages", "--auto-remove", *names, *keep],
    ):
        result = system.run(_apt.apt_get("-s", *words), timeout=120, env=_apt.ENVIRONMENT)
        if result.rc != 0:
            raise NvidiaError(
                "apt cannot say what removing the driver means; nothing was changed.\n"
                + _apt.excerpt(result.out + result.err)
            )
        runs.append(_apt.parse_simulation(result.out))
    unneeded, alone, cleaned = (set(run.removes) for run in runs)
    dependants = sorted(alone - set(names))
    automatic = system.run(["apt-mark", "showauto", *dependants]).out.split() if dependants else []
    sentences = decide.refusals(runs[1], packages, [*names, *automatic], params["remove"], True)
    if sentences:
        raise NvidiaError("\n".join(sentences))
    return sorted((cleaned | alone) - set(names) - unneeded)
