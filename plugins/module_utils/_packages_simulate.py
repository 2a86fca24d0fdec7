# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks apt: what it knows, what a transaction would do, and whether that may be done."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_plan import Step
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError


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
