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
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_simulate as ask
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_plan import Plan, Step
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

INDEX_AGE = 3600  # seconds after which an explicit upgrade looks at the archive again

# packages: {name: Package}; built: [Built]; runfile: argv of its uninstaller or None; kernels: the target releases
Before = namedtuple("Before", "packages built runfile kernels")


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


def blocker(absent, asked, version, available):
    """Why the index does not allow to go on, as a sentence; None when it knows everything that is asked for."""
    unknown = [name for name in absent if name not in available]
    if unknown:
        return decide.unknown_sentence(unknown)
    return decide.version_blocker(asked, version, available) if version else None


def plan_present(system, params, before, apply, now=time.time):
    """Steps that make the packages present, as Plan."""
    packages = before.packages
    version = decide.goal(packages, params["version"], params["branch"] and str(params["branch"]), params["upgrade"])
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

    available = ask.available_versions(system, names)
    blocked = blocker(absent, asked, version if outdated else None, available)
    stale = blocked or (params["upgrade"] and ask.index_age(system, now()) > INDEX_AGE)
    refresh = params["refresh"] == "always" or params["repository_changed"] or (stale and params["refresh"] == "auto")
    if refresh and apply:
        ask.refresh_index(system, params)
        available = ask.available_versions(system, names)
        blocked = blocker(absent, asked, version if outdated else None, available)
    if blocked and (apply or not refresh):
        raise NvidiaError(blocked)

    simulation = _apt.Simulation({}, {})
    pending = (absent or asked) if blocked else []
    if pending:
        steps.append(Step("pending", f"Refresh the package index and install {', '.join(pending)}", pending))
    elif wants:
        request = decide.request(packages, asked, headers, version, params["upgrade"], available)
        simulation = ask.transaction(system, params, packages, request, conflicts, steps)
    after = decide.driver_after(decide.after_transaction(packages, simulation, ask.new_sources(system, simulation)))
    after.update({name: version or "newest" for name in pending if name in asked and not name.startswith("python")})
    builds, skipped = plan_builds(system, before, after, bool(pending), simulation)
    steps += builds + plan_holds(packages, after, params["hold"])
    return Plan(steps, after, before.kernels, bool(refresh and apply), skipped)


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
    # another DKMS package takes the old modules away, be they of the same version (the other flavour); then no kernel
    # that had modules and can have new ones may be left without any
    anew = any(_dpkg.is_dkms(name) for name in simulation.installs)
    old = [kernel for kernel in sorted(have) if not _dkms_build.without_headers(system, [kernel])]
    steps = [
        Step("build", f"Build the {version} kernel modules for {kernel}", (version, kernel))
        for kernel in dict.fromkeys([*before.kernels, *old])
        if anew or have.get(kernel) != version
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
