# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver's packages on Debian and Ubuntu: look at the host, ask apt what it would do, decide the steps.

Looking changes nothing that anybody configured; the one thing that it may do is to refresh apt's index when something
cannot be decided without, and never when everything is in place already.
"""

from __future__ import annotations

import time
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt, _dkms_build, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_plan import Step
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

INDEX_AGE = 3600  # seconds after which an explicit upgrade looks at the archive again

# packages: {name: Package}; built: [Built]; runfile: argv of its uninstaller or None; kernels: the target releases
Before = namedtuple("Before", "packages built runfile kernels")
# after: {name: version} of the driver, names only where the index is not known yet; skipped: why nothing is built
Plan = namedtuple("Plan", "steps after kernels refreshed skipped")


def observe(system, params):
    """The packages, DKMS's modules and a runfile's uninstaller, as Before."""
    result = system.run(_dpkg.QUERY)
    if result.rc != 0:
        raise NvidiaError(f"dpkg-query failed, so the installed packages are not known: {result.err.strip()}")
    kernels = list(params["kernels"] or _dkms_build.default_kernels(system))
    return Before(_dpkg.parse_packages(result.out), _dkms_build.observe(system), find_runfile(system), kernels)


def find_runfile(system):
    """argv that removes a driver installed by NVIDIA's runfile, or None; no package brings these two programs."""
    for path, words in (("/usr/bin/nvidia-uninstall", []), ("/usr/bin/nvidia-installer", ["--uninstall"])):
        if system.exists(path):
            return [path, *words, "--silent"]
    return None


def runfile_steps(before, allowed):
    """The step that removes a runfile's driver; refuses when nobody allowed it."""
    if before.runfile is None:
        return []
    if not allowed:
        raise NvidiaError(
            f"A driver from NVIDIA's runfile is installed ({before.runfile[0]} exists); packages over it would leave a "
            "mixture that does not work. Set remove_runfile to have it uninstalled first, or run "
            f"`{' '.join(before.runfile)}` yourself."
        )
    return [Step("runfile", "Remove the driver that NVIDIA's runfile installed", before.runfile)]


def refresh_index(system, params):
    """apt-get update, waiting for its lock; sources that fail are errors, not warnings."""
    argv = _apt.apt_get("update", "-o", "APT::Update::Error-Mode=any", "-o", "Acquire::Retries=3")
    result = _apt.run_waiting(system, argv, params["timeout"], params["lock_timeout"])
    if result.rc != 0:
        raise NvidiaError(
            "The package index could not be refreshed; check the repositories and the network.\n"
            + _apt.excerpt(result.out + result.err)
        )


def available_versions(system, names):
    """{name: [versions, newest first]} of what the index knows."""
    return _apt.parse_madison(system.run(["apt-cache", "madison", *names], timeout=60).out) if names else {}


def index_age(system, now):
    """Seconds since the index was refreshed."""
    return now - (system.modified("/var/lib/apt/lists") or 0)


def with_preferences(system, request, action):
    """action(True) while the preferences of this transaction are in force, action(False) when it needs none."""
    if not (request.keep or request.fit):
        return action(False)
    text = _apt.preferences_text(request.keep, request.fit, system.read("/etc/apt/preferences"))
    system.write(_apt.PREFERENCES, text)
    try:
        return action(True)
    finally:
        system.remove(_apt.PREFERENCES)


def transaction_words(request, conflicts):
    """Words for apt-get: what comes or moves, and with a minus sign what goes."""
    return [
        *("install", "--purge", "--allow-downgrades", "--allow-change-held-packages"),
        *request.ask,
        *(name + "-" for name in conflicts),
    ]


def simulate(system, request, words):
    """What apt would do, as Simulation.

    :raises NvidiaError: when apt finds no way; with its reasons
    """

    def action(preferences):
        return system.run(_apt.apt_get("-s", *words, preferences=preferences), timeout=120, env=_apt.ENVIRONMENT)

    result = with_preferences(system, request, action)
    if result.rc != 0:
        hint = ""
        if request.keep and not request.moves:
            hint = (
                f" The installed driver ({request.fit or 'no version known'}) is left as it is; if the archive no "
                "longer has packages that fit it, set upgrade, or a version that the archive has."
            )
        raise NvidiaError(
            f"apt finds no way to install {', '.join(request.ask)}; nothing was changed.{hint}\n"
            + _apt.excerpt(result.out + result.err)
        )
    return _apt.parse_simulation(result.out)


def new_sources(system, simulation):
    """{name: source} of the packages that would come in."""
    names = [f"{name}={new}" for name, (_old, new) in simulation.installs.items()]
    return _apt.parse_sources(system.run(["apt-cache", "show", *names], timeout=60).out) if names else {}


def blocker(absent, asked, version, available):
    """Why the index does not allow to go on, as a sentence; None when it knows everything that is asked for."""
    unknown = [name for name in absent if name not in available]
    if unknown:
        return decide.unknown_sentence(unknown)
    return decide.version_blocker(asked, version, available) if version else None


def plan_present(system, params, before, apply, now=time.time):
    """Steps that make the packages present, as Plan."""
    packages, version = before.packages, params["version"]
    asked, headers = params["packages"], params["header_packages"]
    steps = runfile_steps(before, params["remove_runfile"])
    broken = decide.half_done(packages)
    if broken:
        steps.append(Step("configure", f"Finish the interrupted installation of {', '.join(broken)}", broken))
    conflicts = decide.conflicting(packages, params["remove"], [*asked, *headers])
    absent = decide.missing(packages, [*asked, *headers])
    outdated = bool(version) and decide.needs_versions(packages, asked, version)
    wants = bool(absent or conflicts or params["upgrade"] or outdated)
    names = list(dict.fromkeys([*asked, *headers, *_dpkg.closure(packages)])) if wants else []

    available = available_versions(system, names)
    blocked = blocker(absent, asked, version if outdated else None, available)
    stale = blocked or (params["upgrade"] and index_age(system, now()) > INDEX_AGE)
    refresh = params["refresh"] == "always" or params["repository_changed"] or (stale and params["refresh"] == "auto")
    if refresh and apply:
        refresh_index(system, params)
        available = available_versions(system, names)
        blocked = blocker(absent, asked, version if outdated else None, available)
    if blocked and (apply or not refresh):
        raise NvidiaError(blocked)

    simulation = _apt.Simulation({}, {})
    pending = (absent or asked) if blocked else []
    if pending:
        steps.append(Step("pending", f"Refresh the package index and install {', '.join(pending)}", pending))
    elif wants:
        request = decide.request(packages, asked, headers, version, params["upgrade"], available)
        simulation = transaction(system, params, packages, request, conflicts, steps)
    after = decide.driver_after(decide.after_transaction(packages, simulation, new_sources(system, simulation)))
    after.update({name: version or "newest" for name in pending if _dpkg.is_driver(name, name) or _dpkg.is_dkms(name)})
    builds, skipped = plan_builds(system, before, after, bool(pending), simulation)
    steps += builds + plan_holds(packages, after, params["hold"])
    return Plan(steps, after, before.kernels, bool(refresh and apply), skipped)


def transaction(system, params, packages, request, conflicts, steps):
    """Simulates what is asked for and appends the step that does it; gives the Simulation.

    :raises NvidiaError: when it would touch what is not the driver's, or move what nobody asked to move
    """
    if not (request.ask or conflicts):
        return _apt.Simulation({}, {})
    words = transaction_words(request, conflicts)
    simulation = simulate(system, request, words)
    removable = [*params["remove"], *conflicts]
    sentences = decide.refusals(simulation, packages, params["packages"], removable, params["allow_kernel_change"])
    unasked = decide.unasked_moves(simulation, packages, request)
    if unasked:
        sentences.append(
            f"The transaction would change the version of {', '.join(unasked)}, which nobody asked for. Nothing was "
            "changed. Set upgrade or version to allow it."
        )
    if sentences:
        raise NvidiaError("\n".join(sentences))
    if simulation.installs or simulation.removes or decide.missing(packages, request.ask):
        steps.append(Step("transaction", decide.says_transaction(simulation), (request, words, simulation)))
    return simulation


def plan_builds(system, before, after, pending, simulation):
    """([Step build], why nothing is to be built): DKMS must say `installed` for every kernel."""
    version = decide.dkms_version(after)
    if version is None:
        return [], "The modules come precompiled or not at all: none of the driver's packages builds with DKMS."
    have = _dkms_build.versions_by_kernel(before.built)
    present = set(system.entries("/lib/modules"))
    coming = {name.split("linux-image-", 1)[-1] for name in simulation.installs}
    strange = [kernel for kernel in before.kernels if kernel not in present | coming]
    if strange and not pending:
        raise NvidiaError(
            f"No modules can be built for kernel {', '.join(strange)}: it is not installed (no /lib/modules/"
            f"{strange[0]}). Installed are: {', '.join(sorted(present)) or 'none'}. Name one of these in kernels."
        )
    # a driver that moves must not leave another kernel, which had modules, without any
    old = [kernel for kernel in sorted(have) if kernel in present and have[kernel] != version]
    steps = [
        Step("build", f"Build the {version} kernel modules for {kernel}", (version, kernel))
        for kernel in dict.fromkeys([*before.kernels, *old])
        if have.get(kernel) != version
    ]
    return steps, None


def plan_holds(packages, after, hold):
    """The step that holds the driver's whole closure, or releases it."""
    have = set(_dpkg.held(packages))
    if hold:
        names = [name for name in after if name not in have]
        says = f"Hold {', '.join(names)}"
    else:
        names = [name for name in after if name in have]
        says = f"Release the hold of {', '.join(names)}"
    return [Step("hold" if hold else "release", says, names)] if names else []


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
