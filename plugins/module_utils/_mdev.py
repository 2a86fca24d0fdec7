# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mediated devices and vGPU functions as declared: one call for all of a host."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_apply import carry_out
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_capacity import capacity
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_in_use import in_use
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_state import ABSENT, main_part, observe, shown
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_steps import plan
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_wanted import (
    Offers,
    identity_refusals,
    resolve,
    undeclared,
)
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError


def refuse(sentences):
    """:raises NvidiaError: where there is one; nothing has been changed then"""
    if sentences:
        raise NvidiaError(f"Nothing was changed. {' '.join(sentences)}")


def is_as(seen, after):
    """Whether a device became what was predicted. The driver may know more parameters than were asked for."""
    one, other = seen.running, after.running
    if (one is None) != (other is None) or not is_defined_as(seen.definitions, after.definitions):
        return False
    return one is None or ((one.parent, one.type) == (other.parent, other.type) and has(one, other.parameters or {}))


def is_defined_as(some, others):
    return {row.parent: row for row in some} == {row.parent: row for row in others}


def has(running, parameters):
    return all((running.parameters or {}).get(name) == value for name, value in parameters.items())


def row_of(key, device):
    """A device as the module returns it."""
    running, defined = device.running, device.definitions[0] if device.definitions else None
    kind = main_part(device)
    return {
        "key": key,
        "uuid": None if running and running.parent == key else key,
        "parent": kind.parent,
        "type": kind.type,
        "name": running.name if running else None,
        "active": running is not None,
        "defined": defined is not None,
        "autostart": defined.autostart if defined else None,
    }


def ensure(params, system, *, apply):
    """The result of the module `mdev`; see its RETURN."""
    rows, state, offers = params["devices"], params["state"], Offers(system)
    refuse(identity_refusals(rows, state, offers.functions))
    before = observe(system)
    resolved = [resolve(row, state, before, offers, params["backend"]) for row in rows]
    refuse([sentence for _want, sentence in resolved if sentence])
    wants = [want for want, _sentence in resolved]
    surplus = undeclared(before, wants, offers) if params["purge"] else []
    steps, after = plan(before, wants, state, surplus)
    refuse([*in_use(system, before, steps), *capacity(system, before, after, steps, offers)])
    if apply and steps:
        carry_out(system, steps)
        seen = observe(system)
        wrong = [step.key for step in steps if not is_as(seen.get(step.key, ABSENT), after.get(step.key, ABSENT))]
        if wrong:
            raise NvidiaError(
                f"Every step ended well, but {', '.join(sorted(set(wrong)))} is not as it shall be: mdev_facts shows"
                " it, and the kernel's log may tell why."
            )
    touched = sorted({step.key for step in steps})
    mine = sorted({*(want.key for want in wants), *touched})
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "touched": touched,
        "devices": [row_of(key, after[key]) for key in mine if key in after],
        "diff": {
            "before": {key: shown(before.get(key, ABSENT)) for key in mine},
            "after": {key: shown(after.get(key, ABSENT)) for key in mine},
        },
    }
