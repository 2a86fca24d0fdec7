# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver's packages with dnf, zypper and pacman: the same result as with apt, from the table of their commands."""

from __future__ import annotations

import time
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _dkms_build, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_apt import find_runfile, runfile_steps
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_plan import Step
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_table import (
    TABLE,
    closure,
    parse_held,
    parse_installed,
    upstream,
)
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# packages: {name: (version, source)}; held: names; built: [Built]; runfile: argv or None; kernels: releases
Before = namedtuple("Before", "packages held built runfile kernels")


def observe(system, manager, params):
    """Packages, locks and DKMS's modules, as Before."""
    result = system.run(list(manager.query), timeout=120)
    if result.rc != 0:
        raise NvidiaError(f"{manager.query[0]} failed, so the installed packages are not known: {result.err.strip()}")
    packages = parse_installed(result.out)
    names = closure(packages)
    listing = system.run(list(manager.held), timeout=120).out if manager.held and names else ""
    kernels = list(params["kernels"] or _dkms_build.default_kernels(system))
    return Before(packages, parse_held(listing, names), _dkms_build.observe(system), find_runfile(system), kernels)


def plan(before, manager, params):
    """[Step] whose data are the argv to run, or (version, kernel) of a build. Pure."""
    packages, version, asked = before.packages, params["version"], params["packages"]
    names = closure(packages)
    going = sorted(n for n in packages if decide.matches(n, params["remove"]) and n not in asked)
    if params["state"] == "absent":
        gone = sorted({*names, *going, *(n for n in asked if n in packages)})
        steps = runfile_steps(before, True) if params["remove_runfile"] else []
        if not gone:
            return steps
        release = [argv_step("release", manager.release, before.held)] if before.held else []
        return [*steps, *release, argv_step("purge", manager.remove, gone)]
    steps = runfile_steps(before, params["remove_runfile"])
    if version and not manager.pinned:
        raise NvidiaError(f"{manager.name} cannot install the exact version {version}: its repositories have one only.")
    wrong = [n for n in asked if n in packages and version and upstream(packages[n][0]) != version]
    absent = [n for n in asked if n not in packages]
    if going:
        steps.append(argv_step("purge", manager.remove, going))
    moves = wrong or params["upgrade"]
    if moves and before.held and manager.release:
        steps.append(argv_step("release", manager.release, before.held))
    words = [manager.pinned.format(name=n, version=version) if version else n for n in [*absent, *wrong]]
    words += [name for name in params["header_packages"] if name not in packages]
    if words:
        steps.append(argv_step("transaction", manager.install, words))
    if params["upgrade"] and not version and names:
        steps.append(argv_step("transaction", manager.upgrade, names))
    after = sorted({*(n for n in names if n not in going), *absent})
    locked = [] if moves else before.held
    unlocked = [name for name in after if name not in locked]
    if params["hold"] and unlocked and manager.hold:
        steps.append(argv_step("hold", manager.hold, unlocked))
    elif not params["hold"] and before.held and manager.release and not moves:
        steps.append(argv_step("release", manager.release, before.held))
    return steps


VERBS = {"purge": "Remove", "release": "Release", "transaction": "Install", "hold": "Hold"}


def argv_step(kind, argv, words):
    return Step(kind, f"{VERBS[kind]} {', '.join(words)}", [*argv, *words])


def builds(before, packages):
    """[Step build] for the kernels that lack the modules of the installed DKMS package."""
    version = next((upstream(packages[n][0]) for n in closure(packages) if is_dkms(n)), None)
    have = _dkms_build.versions_by_kernel(before.built)
    return [
        Step("build", f"Build the {version} kernel modules for {kernel}", (version, kernel))
        for kernel in before.kernels
        if version and have.get(kernel) != version
    ]


def is_dkms(name):
    return _dpkg.is_dkms(name) or name in ("nvidia-dkms", "dkms-nvidia", "nvidia-open-dkms")


def run_step(system, manager, step, params):
    result = system.run(step.data, timeout=params["timeout"])
    if result.rc != 0:
        said = "\n".join((result.out + "\n" + result.err).strip().splitlines()[-20:])
        raise NvidiaError(f"{manager.name} failed with exit status {result.rc}: {step.says}.\n{said}")


def carry_out(system, manager, params, before, steps):
    """Does the steps and the builds; removes again what came when a build fails. [{module, version, kernel, ...}]"""
    from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_apply import build

    done = []
    last = [step for step in steps if step.kind == "hold"]
    for step in steps:
        if step not in last:
            run_step(system, manager, step, params)
    if params["state"] == "present":
        now = observe(system, manager, params)
        try:
            for step in builds(now, now.packages):
                done += build(system, params, *step.data, clock=time.monotonic)
        except NvidiaError as exc:
            fresh = sorted(set(now.packages) - set(before.packages))
            if not fresh:
                raise
            run_step(system, manager, argv_step("purge", manager.remove, fresh), params)
            raise NvidiaError(f"{exc}\nThe host was put back: removed again {', '.join(fresh)}.") from exc
        unlocked = [name for name in closure(now.packages) if name not in now.held]
        if params["hold"] and manager.hold and unlocked:
            run_step(system, manager, argv_step("hold", manager.hold, unlocked), params)
    return done


def ensure(params, system, name, *, apply):
    """The result of the module `driver_packages` for a manager of the table."""
    manager = TABLE[name]
    before = observe(system, manager, params)
    steps = plan(before, manager, params)
    if params["state"] == "present":
        steps += builds(before, before.packages)
    first = {n: before.packages[n][0] for n in closure(before.packages)}
    after = predict(first, steps, params)
    packages, done = after, []
    if apply and steps:
        done = carry_out(system, manager, params, before, [step for step in steps if step.kind != "build"])
        now = observe(system, manager, params).packages
        packages = {n: now[n][0] for n in closure(now)}
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "diff": {"before": {"packages": first}, "after": {"packages": after}},
        "packages": packages,
        "built": done,
        "build_skipped": None,
        "refreshed": False,
        "reboot_hint": None,
    }


def predict(first, steps, params):
    """{name: version} of the asked packages once the steps are done; names only where the version is the archive's."""
    after = dict(first)
    for step in steps:
        if step.kind == "transaction":
            after.update(
                {n: params["version"] or "newest" for n in params["packages"] if n not in first or params["version"]}
            )
        elif step.kind == "purge":
            after = {n: v for n, v in after.items() if n not in step.data}
    return after
