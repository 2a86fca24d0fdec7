# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs, holds and removes packages beside the driver with apt; the driver and the kernel are never touched."""

from __future__ import annotations

import time

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _guarded_packages_plan as guard
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_simulate as ask
from ansible_collections.gpufleet.nvidia.plugins.module_utils._guarded_packages_apply import (
    carry_out,
    check,
    keep,
    observe,
    to_hold,
)
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages import find_manager
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_apt import INDEX_AGE
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_plan import Step
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError


def ensure(params, system, *, apply):
    """The result of the module `guarded_packages`; see its RETURN."""
    manager = find_manager(system, params["manager"])
    if manager != "apt":
        from ansible_collections.gpufleet.nvidia.plugins.module_utils import _guarded_packages_other

        return _guarded_packages_other.ensure(params, system, manager, apply=apply)
    packages = observe(system)
    if params["state"] == "present":
        steps, after, refreshed = plan_present(system, params, packages, apply)
    else:
        steps, after, refreshed = plan_absent(system, params, packages)
    names = concerned(params, packages, after)
    result = {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "diff": {
            "before": {
                "packages": {n: packages[n].version for n in names if _dpkg.is_installed(packages.get(n))},
                "held": [n for n in names if n in packages and packages[n].want == "hold"],
            },
            "after": {
                "packages": {n: after[n] for n in names if n in after},
                "held": held_after(params, packages, after, names),
            },
        },
        "refreshed": refreshed,
    }
    if apply and steps:
        carry_out(system, params, packages, steps)
        after = check(system, params)
    return {**result, "packages": {n: after[n] for n in names if n in after}}


def concerned(params, packages, after):
    """Sorted names of the packages that this call is about: those asked for, those to hold, and what comes or goes."""
    old = {name: pkg.version for name, pkg in packages.items() if pkg.status != "config-files"}
    names = {*guard.parse_asked([*params["packages"], *params["companions"]])} & {*old, *after}
    names |= {n for n in {*old, *after} if decide.matches(n, [*params["packages"], *params["hold_also"]])}
    return sorted(names | {n for n in {*old, *after} if old.get(n) != after.get(n)})


def plan_present(system, params, packages, apply, now=time.time):
    """(steps, {name: version} afterwards, whether the index was refreshed)."""
    asked = guard.parse_asked([*params["packages"], *params["companions"]])
    broken = guard.unfinished(packages, asked, params["hold_also"])
    steps = [Step("configure", f"Finish the interrupted installation of {', '.join(broken)}", broken)] if broken else []
    names = list(asked) if params["upgrade"] else guard.pending(packages, asked)

    available = ask.available_versions(system, names)
    blocked = guard.blocker(names, asked, available)
    stale = blocked or (params["upgrade"] and ask.index_age(system, now()) > INDEX_AGE)
    refresh = params["refresh"] == "always" or params["repository_changed"] or (stale and params["refresh"] == "auto")
    if refresh and apply:
        ask.refresh_index(system, params)
        available = ask.available_versions(system, names)
        blocked = guard.blocker(names, asked, available)
    if blocked and (apply or not refresh):
        raise NvidiaError(blocked)

    after = {name: pkg.version for name, pkg in packages.items() if pkg.status != "config-files"}
    if blocked:
        steps.append(Step("pending", f"Refresh the package index and install {', '.join(names)}", names))
        after.update({name: asked[name] or "newest" for name in names})
    elif names:
        words = ["install", "--allow-downgrades", *guard.words(names, asked, available)]
        simulation = simulate(system, params, packages, asked, words)
        if simulation.installs or simulation.removes:
            steps.append(Step("transaction", decide.says_transaction(simulation), words))
        after.update({name: new for name, (_old, new) in simulation.installs.items()})
    return [*steps, *plan_holds(params, packages, after)], after, bool(refresh and apply)


def plan_absent(system, params, packages):
    """(steps, {name: version} afterwards, False): the packages, and what only they needed."""
    after = {name: pkg.version for name, pkg in packages.items() if pkg.status != "config-files"}
    names = [n for n in sorted(packages) if decide.matches(n, params["packages"])]
    names = [n for n in names if n in after or n in params["packages"]]
    own = [n for n in names if guard.guarded(n, packages[n].source)]
    if own:
        raise NvidiaError(f"{', '.join(own)} belong to the driver or the kernel; this module removes neither.")
    if not names:
        return [], after, False
    stay = {*run_simulation(system, packages, ["autoremove"]).removes} - {*names}

    def purge():
        return ["purge", "--auto-remove", *names, *(f"{name}+" for name in sorted(stay))]

    would = run_simulation(system, packages, ["purge", "--allow-change-held-packages", *purge()[1:]]).removes
    # libraries of the driver that came with a package are not taken away with it
    stay |= {name for name in would if name in packages and guard.guarded(name, packages[name].source)}
    words = purge()
    simulation = simulate(system, params, packages, names, words)
    after = {name: version for name, version in after.items() if name not in simulation.removes}
    return [Step("purge", f"Purge {', '.join(sorted({*names, *simulation.removes}))}", words)], after, False


def run_simulation(system, packages, words):
    """What apt would do with the driver's packages pinned to what they are, as Simulation."""

    def action(preferences):
        return system.run(_apt.apt_get("-s", *words, preferences=preferences), timeout=120, env=_apt.ENVIRONMENT)

    result = ask.with_preferences(system, keep(packages), action)
    if result.rc != 0:
        raise NvidiaError(
            f"apt finds no way for `{' '.join(words)}`; nothing was changed.\n" + _apt.excerpt(result.out + result.err)
        )
    return _apt.parse_simulation(result.out)


def simulate(system, params, packages, asked, words):
    """The simulated transaction.

    :raises NvidiaError: when it would touch the driver, the kernel, a package that somebody holds, or remove more
    """
    simulation = run_simulation(system, packages, [words[0], "--allow-change-held-packages", *words[1:]])
    ours = [*asked, *(n for n in packages if decide.matches(n, params["hold_also"]))]
    sources = ask.new_sources(system, simulation)
    sentences = guard.refusals(simulation, packages, sources, ours, params["driver_libraries_ok"])
    if words[0] == "install":
        sentences += [text for text in [guard.collateral(simulation, packages, ours)] if text]
    if sentences:
        raise NvidiaError("\n".join(sentences))
    return simulation


def held_after(params, packages, after, names):
    if params["state"] == "present" and params["hold"] is not None:
        return to_hold(params, after) if params["hold"] else []
    return [n for n in names if n in after and n in packages and packages[n].want == "hold"]


def plan_holds(params, packages, after):
    """The step that holds what was asked for, or releases it; none when `hold` is null."""
    if params["hold"] is None:
        return []
    held = {name for name, pkg in packages.items() if pkg.want == "hold"}
    names = [name for name in to_hold(params, after) if (name in held) != params["hold"]]
    says = "Hold" if params["hold"] else "Release the hold of"
    return [Step("hold" if params["hold"] else "release", f"{says} {', '.join(names)}", names)] if names else []
