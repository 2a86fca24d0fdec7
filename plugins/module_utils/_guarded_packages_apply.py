# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out the steps for packages beside the driver with apt, and puts them back when a transaction fails."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _guarded_packages_plan as guard
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_simulate as ask
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_apt import Before
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError


def observe(system):
    """{name: Package} of what dpkg knows."""
    result = system.run(_dpkg.QUERY)
    if result.rc != 0:
        raise NvidiaError(f"dpkg-query failed, so the installed packages are not known: {result.err.strip()}")
    return _dpkg.parse_packages(result.out)


def keep(packages):
    """The driver's packages as what must not move."""
    return decide.Request([], guard.driver_packages(packages), None, False)


def to_hold(params, after):
    """Names of the packages that the hold is about."""
    asked = guard.parse_asked(params["packages"])
    return sorted(n for n in after if n in asked or decide.matches(n, params["hold_also"]))


def carry_out(system, params, packages, steps):
    """Does the steps; puts the packages back when the transaction fails.

    :raises NvidiaError: what failed, why, and what was put back
    """
    for step in steps:
        if step.kind == "configure":
            _apt.checked(system, params, ["dpkg", "--force-confold", "--configure", "-a"], "dpkg could not finish")
        elif step.kind in ("transaction", "purge"):
            transact(system, params, packages, step.data)
        elif step.kind == "release":
            _apt.checked(system, params, ["apt-mark", "unhold", *step.data], "The hold could not be released")
    now = observe(system)
    names = [n for n in should_be_held(params, packages, now) if now[n].want != "hold" and _dpkg.is_installed(now[n])]
    if names:
        _apt.checked(system, params, ["apt-mark", "hold", *names], "The packages could not be held")


def should_be_held(params, packages, now):
    """Names to hold when all is done: a transaction drops the holds of what it touches."""
    names = {name for name, pkg in packages.items() if pkg.want == "hold" and name in now}
    if params["state"] == "present" and params["hold"] is not None:
        ours = set(to_hold(params, now))
        names = names | ours if params["hold"] else names - ours
    return sorted(names)


def transact(system, params, packages, words):
    """One apt transaction that was simulated before."""

    def action(preferences):
        line = [words[0], "--allow-change-held-packages", *words[1:]]
        argv = _apt.apt_get(*line, preferences=preferences, lock_timeout=params["lock_timeout"])
        result = _apt.run_waiting(system, argv, params["timeout"], params["lock_timeout"])
        if result.rc != 0 and _apt.is_stale(result.out + result.err) and params["refresh"] != "never":
            ask.refresh_index(system, params)
            result = _apt.run_waiting(system, argv, params["timeout"], params["lock_timeout"])
        return result

    result = ask.with_preferences(system, keep(packages), action)
    if result.rc != 0:
        from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_restore

        back = _packages_restore.restore(system, params, Before(packages, [], None, []))
        again = [n for n, p in observe(system).items() if packages.get(n, p).want == "hold" != p.want]
        if again:
            system.run(["apt-mark", "hold", *again])
        raise NvidiaError(
            f"apt could not carry out the transaction (exit status {result.rc}). {back}\n"
            + _apt.excerpt(result.out + "\n" + result.err)
        )


def check(system, params):
    """{name: version} of what is installed now.

    :raises NvidiaError: when that is not what was asked for
    """
    now = observe(system)
    if params["state"] == "present":
        wrong = guard.pending(now, guard.parse_asked([*params["packages"], *params["companions"]]))
        if wrong:
            raise NvidiaError(f"The transaction ended well but these are not as asked for: {', '.join(wrong)}.")
    else:
        still = [n for n, p in now.items() if p.status != "config-files" and decide.matches(n, params["packages"])]
        if still:
            raise NvidiaError(f"The purge ended well but these packages are still there: {', '.join(sorted(still))}.")
    return {name: pkg.version for name, pkg in now.items() if pkg.status != "config-files"}
