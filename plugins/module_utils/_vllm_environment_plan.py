# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environment of a prefix shall be the current one, what is to be built, and what may go. Pure."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# kind: build | switch | remove | rights; name: of the environment; says: a sentence
Step = namedtuple("Step", "kind name says")

TOLD = 4
ASTRAY = " (files with other rights)"


def plan(state, want, params):
    """([Step], name of the environment that is asked for or None).

    :raises NvidiaError: for what cannot be done
    """
    if params["state"] == "absent":
        return removals(state, want), None
    name = named(state, want, params["use"]) if params["use"] else match(state, want)
    steps = []
    if name is None:
        name = free_name(state, want.version)
        says = f"Build {want.package} {want.version} in {want.prefix}/{name} and prove it"
        steps.append(Step("build", name, f"{says}{because(state, want)}"))
    if params["activate"] and state.current != name:
        instead = f" instead of {state.current}" if state.current else ""
        steps.append(Step("switch", name, f"Let {want.prefix}/current mean {name}{instead}"))
    gone = pruned(state, want, params, name)
    leaving = {name for kind, name, _says in [*steps, *gone] if kind != "switch"}
    return [*steps, *regained(state, want, leaving), *gone], name


def match(state, want):
    """The whole environment of this recipe, the current one before others; or None."""
    fitting = [one.name for one in state.environments.values() if one.whole and one.record["recipe"] == want.recipe]
    return state.current if state.current in fitting else max(fitting, default=None)


def because(state, want):
    """Why one of this recipe that is there is not taken, as the end of a sentence; or nothing."""
    alike = [one for one in state.environments.values() if one.lacks and one.record["recipe"] == want.recipe]
    if not alike:
        return ""
    one = next((one for one in alike if one.name == state.current), alike[-1])
    more = f" and {len(one.lacks) - TOLD} more" if len(one.lacks) > TOLD else ""
    return f": {one.name} lacks {', '.join(one.lacks[:TOLD])}{more}"


def regained(state, want, leaving):
    """Steps that give files beside and in environments their owner and mode again; nobody who runs there notices."""
    return [
        Step("rights", one.name, f"Take back {', '.join(path for path, _mode in one.astray)}")
        for one in sorted(state.environments.values(), key=lambda one: one.name)
        if one.astray and one.name not in leaving
    ]


def named(state, want, path):
    """The name of the environment with this path.

    :raises NvidiaError: when none of this prefix is whole there
    """
    name = path.rstrip("/").rsplit("/", 1)[-1]
    name = {"current": state.current, "previous": state.previous}.get(name, name)
    found = state.environments.get(name)
    if found is None or not found.whole or path.rstrip("/").rpartition("/")[0] != want.prefix:
        there = ", ".join(sorted(one.path for one in state.environments.values() if one.whole)) or "none"
        raise NvidiaError(
            f"use is {path}, and no environment that was built and proved in {want.prefix} is there. "
            f"There are: {there}. Name one of them, or set version to build one."
        )
    return name


def free_name(state, version):
    """env-VERSION, or with a number behind it; what is half built is built again in its place.

    One that was whole once is never: servers may run in it.
    """
    number = 1
    while True:
        name = f"env-{version}" if number == 1 else f"env-{version}-{number}"
        half = name in state.environments and not was_whole(state.environments[name])
        if name not in state.taken or (half and name != state.current):
            return name
        number += 1


def pruned(state, want, params, name):
    """Steps that remove half environments, and older ones than `keep` allows.

    What units start their servers from stays; it may be an instance that nobody names any more. What is built while
    servers run (`activate` is false) takes away nothing that they may run in.
    """
    current = name if params["activate"] else state.current
    previous = state.current if current != state.current else state.previous
    others = [one for one in state.environments.values() if one.name not in {current, name, *state.served}]
    order = sorted(others, key=lambda one: (one.whole, one.name == previous, one.made), reverse=True)
    kept = [one.name for one in order if one.whole][: params["keep"]]
    gone = [one for one in order if one.name not in kept and (params["activate"] or not was_whole(one))]
    return [_removal(want, one) for one in sorted(gone, key=lambda one: one.name)]


def was_whole(one):
    """Whether it was built and proved, whatever has become of it since."""
    return one.record.get("state") == "ready"


def removals(state, want):
    """Steps of state=absent: of one release, or of all."""
    if want.version is None:
        return [_removal(want, one) for one in sorted(state.environments.values(), key=lambda one: one.name)]
    gone = [one for one in state.environments.values() if one.record["recipe"].get("version") == want.version]
    if any(one.name == state.current for one in gone):
        raise NvidiaError(
            f"{want.prefix}/current means {state.current}, so that {want.version} is in use. Switch to another release "
            "first, or leave version out to remove them all."
        )
    return [_removal(want, one) for one in sorted(gone, key=lambda one: one.name)]


def _removal(want, one):
    half = "" if one.whole else ", which is not whole"
    return Step("remove", one.name, f"Remove {want.prefix}/{one.name}{half}")


def predict(state, steps, want):
    """{current, previous, environments: {name: what it holds}} after the steps."""
    after = describe(state)
    environments = after["environments"]
    gone = {step.name for step in steps if step.kind == "remove"}
    for step in steps:
        if step.kind == "build":
            environments[step.name] = f"{want.package} {want.version}"
        elif step.kind == "remove":
            environments.pop(step.name, None)
        elif step.kind == "rights":
            environments[step.name] = environments[step.name].replace(ASTRAY, "")
        else:
            after["previous"] = after["current"] or after["previous"]
            after["current"] = step.name
    for link in ("current", "previous"):
        after[link] = None if after[link] in gone else after[link]
    return after


def describe(state):
    """The state for people, as `diff` shows it."""
    shown = {
        one.name: f"{one.record['recipe'].get('package')} {one.record['recipe'].get('version')}"
        + ("" if one.whole else " (not whole)")
        + (ASTRAY if one.astray else "")
        for one in state.environments.values()
    }
    return {"current": state.current, "previous": state.previous, "environments": shown}
