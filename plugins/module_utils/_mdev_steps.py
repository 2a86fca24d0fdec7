# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps lead from the devices that are there to those that are declared. Nothing here touches a host."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_mdevctl import Definition
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_state import ABSENT, Device, Running

# kind: stop, undefine, define, start or set; value: the Running or the Definition that it is about
Step = namedtuple("Step", "kind key back_end value says")
ORDER = ("stop", "undefine", "define", "start", "set")
PERSISTENT = ("started", "defined")


def same(want, running):
    """Whether a running device is where and what it shall be; its parameters aside."""
    return running is not None and (running.parent, running.type) == (want.parent, want.type)


def target_running(want, before, state):
    """The Running that shall be there, or None."""
    if state == "defined":
        return before.running
    if state != "started":
        return None
    kept = before.running if same(want, before.running) else None
    parameters = want.parameters
    if parameters is None:
        parameters = kept.parameters if kept else None
    if kept:
        return kept._replace(parameters=parameters)
    return Running(want.parent, want.type, want.name, parameters, None)


def target_definitions(want, before, state):
    """The definitions that shall be there: one, none, or those that are."""
    if state == "absent":
        return ()
    if state not in PERSISTENT or want.back_end != "mdevctl":
        return before.definitions
    there = next((row for row in before.definitions if row.parent == want.parent), None)
    parameters = want.parameters if want.parameters is not None else (there.parameters if there else {})
    rest = there.rest if there else ()
    return (Definition(want.uuid, want.parent, want.type, want.autostart, parameters, rest),)


def target(want, before, state):
    """The Device that a declared one shall be."""
    running, definitions = target_running(want, before, state), target_definitions(want, before, state)
    if running and running != before.running and want.back_end == "mdevctl" and definitions:
        running = running._replace(parameters=definitions[0].parameters or running.parameters)
    return Device(running, definitions)


def steps_for(want, before, after):
    """What makes one device of another."""
    steps, was, will = [], before.running, after.running
    recreate = was is not None and will is not None and (was.parent, was.type) != (will.parent, will.type)
    if was and (will is None or recreate):
        steps.append(step("stop", want, was))
    for definition in before.definitions:
        if definition not in after.definitions:
            steps.append(step("undefine", want, definition))
    for definition in after.definitions:
        if definition not in before.definitions:
            steps.append(step("define", want, definition))
    if will and (was is None or recreate):
        steps.append(step("start", want, will))
    elif will and was and (will.parameters or {}) != (was.parameters or {}):
        steps.append(step("set", want, will))
    return steps


def step(kind, want, value):
    where = f"{want.key} on {value.parent}" if want.key != value.parent else want.key
    says = {
        "stop": f"Remove {where}, which is {value.type}",
        "undefine": f"Forget the definition of {where}, which is {value.type}",
        "define": f"Define {where} as {value.type}",
        "start": f"Create {where} as {value.type}",
        "set": f"Set the parameters of {where}",
    }
    return Step(kind, want.key, want.back_end, value, says[kind])


def plan(before, wants, state, surplus):
    """(steps, after): removals first, so that what they free can be used.

    :param before: {key: Device}; :param wants: [Wanted]; :param surplus: [Wanted] to remove, as nobody declares them
    """
    after, steps = dict(before), []
    for want, aim in [*((want, state) for want in wants), *((want, "absent") for want in surplus)]:
        there = before.get(want.key, ABSENT)
        after[want.key] = target(want, there, aim)
        steps += steps_for(want, there, after[want.key])
    ordered = sorted(steps, key=lambda row: ORDER.index(row.kind) if row.kind != "set" else ORDER.index("start"))
    return ordered, {key: device for key, device in after.items() if device != ABSENT}
