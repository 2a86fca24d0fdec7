# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out the steps for the driver's packages with apt, and puts the host back when one of them fails."""

from __future__ import annotations

import time

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt, _dkms_build, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_apt as look
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_simulate as ask
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_restore import obtainable, restore
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

TRIAL = "/var/tmp/gpufleet-nvidia-trial"


def carry_out(system, params, before, plan, clock=time.monotonic):
    """Does the steps in their order; [{module, version, kernel, seconds}] of what was built.

    :raises NvidiaError: what failed, why, and what was put back
    """
    built = []
    undoable = [step for step in plan.steps if step.kind in ("transaction", "build")]
    for step in plan.steps:
        try:
            if step.kind == "runfile":
                rehearse(system, params, before, plan)
                uninstall_runfile(system, step.data, params)
            elif step.kind == "configure":
                _apt.checked(system, params, ["dpkg", "--force-confold", "--configure", "-a"], "dpkg could not finish")
            elif step.kind == "transaction":
                transact(system, params, before, step.data, [s.data for s in plan.steps if s.kind == "build"])
            elif step.kind == "build":
                built += build(system, params, step.data[0], step.data[1], clock)
            elif step.kind == "purge":
                names, orphans = step.data
                words = ["purge", "--allow-change-held-packages", *names, *orphans]
                _apt.checked(
                    system, params, _apt.apt_get(*words, lock_timeout=params["lock_timeout"]), "apt could not purge"
                )
            elif step.kind == "clean":
                remove_trees(system)
            elif step.kind == "release":
                _apt.checked(system, params, ["apt-mark", "unhold", *step.data], "The hold could not be released")
        except NvidiaError as exc:
            if step not in undoable:
                raise
            raise NvidiaError(f"{exc}\n{restore(system, params, before)}") from exc
    if params["state"] == "present" and params["hold"]:
        hold_all(system, params)
    if params["state"] == "absent" and before.runfile is None:
        remove_trees(system)
    return built


def uninstall_runfile(system, argv, params):
    result = system.run(argv, timeout=params["timeout"])
    if result.rc != 0 or look.find_runfile(system):
        raise NvidiaError(
            f"{' '.join(argv)} did not remove the runfile's driver (exit status {result.rc}); see "
            f"/var/log/nvidia-uninstall.log.\n{_apt.excerpt(result.out + chr(10) + result.err)}"
        )


def transact(system, params, before, data, builds):
    """One apt transaction; DKMS's own trigger is kept quiet meanwhile, because it knows neither the kernels that we
    want nor how to leave the package system whole when a build fails."""
    request, words, simulation = data
    trial(system, params, before, simulation, builds)
    lines = [line for name, block in sorted(_apt.PRESEEDS.items()) if name in simulation.installs for line in block]
    if lines:
        system.run(["debconf-set-selections"], data="\n".join(lines) + "\n", timeout=60)

    def action(preferences):
        argv = _apt.apt_get(*words, preferences=preferences, lock_timeout=params["lock_timeout"])
        result = _apt.run_waiting(system, argv, params["timeout"], params["lock_timeout"])
        if result.rc != 0 and _apt.is_stale(result.out + result.err) and params["refresh"] != "never":
            ask.refresh_index(system, params)
            result = _apt.run_waiting(system, argv, params["timeout"], params["lock_timeout"])
        return result

    result = _dkms_build.quietly(system, lambda: ask.with_preferences(system, request, action))
    packages = _dpkg.parse_packages(system.run(_dpkg.QUERY).out)
    still = decide.missing(packages, [*params["packages"], *params["header_packages"]])
    if result.rc != 0 or still:
        missing = f" Not installed: {', '.join(still)}." if still else ""
        raise NvidiaError(
            f"apt could not carry out the transaction (exit status {result.rc}).{missing}\n"
            + _apt.excerpt(result.out + "\n" + result.err)
        )


def trial(system, params, before, simulation, builds):
    """Builds the new modules in a folder of their own when there would be no way back.

    Archives drop old versions, so a driver that moves can often not return; a build that fails must be known before.

    :raises NvidiaError: with the decisive lines; nothing was changed then
    """
    moves = decide.moved(simulation)
    _words, gone = obtainable(system, {name: old for name, (old, _new) in moves.items()})
    if any(_dpkg.is_driver(name, before.packages[name].source) for name in gone):
        build_aside(system, params, simulation, builds)


def rehearse(system, params, before, plan):
    """The same before a runfile's driver goes, which nothing here could bring back; where dkms is there to do it."""
    simulation = next((step.data[2] for step in plan.steps if step.kind == "transaction"), None)
    if simulation and system.which("dkms"):
        build_aside(system, params, simulation, [step.data for step in plan.steps if step.kind == "build"])


def build_aside(system, params, simulation, builds):
    """Builds the source package that is to come in a folder of its own, which is removed again.

    :raises NvidiaError: with the decisive lines
    """
    source = next((name for name in sorted(simulation.installs) if _dpkg.is_dkms(name)), None)
    if source is None:
        return
    system.run(["rm", "-rf", TRIAL], timeout=60)
    try:
        package = f"{source}={simulation.installs[source][1]}"
        system.run(["mkdir", "-p", "-m", "0755", TRIAL])
        fetched = system.run(["env", f"--chdir={TRIAL}", "apt-get", "-q", "download", package], timeout=600)
        files = [name for name in system.entries(TRIAL) if name.endswith(".deb")]
        if not files or system.run(["dpkg-deb", "-x", f"{TRIAL}/{files[0]}", TRIAL], timeout=300).rc != 0:
            raise NvidiaError(
                f"{package} could not be fetched for a trial build; nothing was changed.\n"
                + _apt.excerpt(fetched.out + "\n" + fetched.err)
            )
        for version, kernel in builds:
            if not _dkms_build.without_headers(system, [kernel]):
                _dkms_build.trial(system, TRIAL, version, kernel, params["timeout"])
    finally:
        system.run(["rm", "-rf", TRIAL], timeout=60)


def build(system, params, version, kernel, clock=time.monotonic):
    """Builds every NVIDIA source tree of that version for one kernel, unless the package's trigger has done it."""
    names = _dkms_build.sources(system, version)
    if not names:
        raise NvidiaError(
            f"The driver's packages are installed but /usr/src has no NVIDIA sources of version {version} to build."
        )
    if _dkms_build.without_headers(system, [kernel]):
        raise NvidiaError(
            f"The headers of kernel {kernel} are missing (/lib/modules/{kernel}/build): no modules can be built. "
            f"Name the package that holds them in header_packages, for example linux-headers-{kernel}."
        )
    done = []
    for name in names:
        if _dkms_build.state(system, name, version, kernel):
            continue
        begin = clock()
        _dkms_build.build(system, name, version, kernel, params["timeout"])
        done.append({"module": name, "version": version, "kernel": kernel, "seconds": round(clock() - begin, 1)})
    return done


def hold_all(system, params):
    """Holds what is not held; a transaction drops the holds of what it touched."""
    packages = _dpkg.parse_packages(system.run(_dpkg.QUERY).out)
    names = [name for name in _dpkg.closure(packages) if packages[name].want != "hold"]
    if names:
        _apt.checked(system, params, ["apt-mark", "hold", *names], "The driver's packages could not be held")


def remove_trees(system):
    """Removes what is left of NVIDIA's modules in DKMS's tree once their packages are gone."""
    for item in _dkms_build.observe(system):
        system.run(_dkms_build.argv_remove(item.name, item.version), timeout=300)
        path = f"{_dkms_build.TREE}/{item.name}"
        if system.exists(path):
            system.run(["rm", "-rf", "--one-file-system", path], timeout=60)
