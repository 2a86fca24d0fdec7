# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of vLLM servers: whether they run and start at boot, and the commands of systemd that make it so."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# is_loaded: systemd knows the unit; state, sub: ActiveState and SubState; enabled: at boot
Unit = namedtuple("Unit", "is_loaded state sub enabled")
# argv: a command of systemd; says: what it does
Step = namedtuple("Step", "argv says")

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
PROPERTIES = ("Id", "LoadState", "ActiveState", "SubState", "UnitFileState")


def unit_of(name):
    return f"vllm@{name}.service"


def parse_units(text):
    """{unit: {property: value}} of ``systemctl show`` of several units, with a blank line between two of them."""
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")]
    return {block["Id"]: block for block in blocks if "Id" in block}


def is_running(state, sub):
    """A server that is loading its model runs; one that only waits for systemd to start it again does not."""
    return state in ("active", "reloading", "deactivating") or (state == "activating" and sub != "auto-restart")


def observe(system, names):
    """{name: Unit}; a unit that nobody has written is not loaded and inactive."""
    if not names:
        return {}
    argv = ["systemctl", "show", *map(unit_of, names), f"--property={','.join(PROPERTIES)}"]
    shown = parse_units(system.run(argv, timeout=30).out)
    found = {}
    for name in names:
        row = shown.get(unit_of(name), {})
        enabled = row.get("UnitFileState") in ("enabled", "enabled-runtime")
        is_loaded = row.get("LoadState") == "loaded"
        found[name] = Unit(is_loaded, row.get("ActiveState", "inactive"), row.get("SubState", "dead"), enabled)
    return found


def plan(before, rows, reload_units):
    """[Step]; everything ends before anything starts, and starts are not waited for.

    :param rows: ``[{name, state: started|restarted|stopped|absent}]``
    """
    ends, middle, starts = [], [], []
    for row in rows:
        name, unit = row["name"], before[row["name"]]
        goes_on = row["state"] in ("started", "restarted")
        running = is_running(unit.state, unit.sub)
        if unit.state != "inactive" and (row["state"] != "started" or not running):
            if unit.state != "failed":
                ends.append(Step(["systemctl", "stop", unit_of(name)], f"Stop {unit_of(name)}"))
            ends.append(Step(["systemctl", "reset-failed", unit_of(name)], f"Forget the failures of {unit_of(name)}"))
        if not goes_on and unit.enabled:
            ends.append(Step(["systemctl", "disable", unit_of(name)], f"Keep {unit_of(name)} from starting at boot"))
        if goes_on and not unit.enabled:
            starts.append(Step(["systemctl", "enable", unit_of(name)], f"Have {unit_of(name)} start at boot"))
        if row["state"] == "restarted" or (goes_on and not running):
            starts.append(Step(["systemctl", "start", "--no-block", unit_of(name)], f"Start {unit_of(name)}"))
    if reload_units:
        middle.append(Step(["systemctl", "daemon-reload"], "Have systemd read its units again"))
    return [*ends, *middle, *starts]


def carry_out(system, steps, timeout):
    for step in steps:
        answer = system.run(step.argv, timeout=timeout)
        # A unit that has ended meanwhile has nothing to forget.
        if answer.rc and step.argv[1] != "reset-failed":
            said = (answer.err or answer.out).strip()
            raise NvidiaError(
                f"{' '.join(step.argv)} failed: {said}. Look at systemctl status {step.argv[-1]} and at its journal."
            )


def states(before):
    return {name: {"state": unit.state, "enabled": unit.enabled} for name, unit in before.items()}


def predict(before, rows):
    """The states when every step has been carried out, as :func:`states` gives them."""
    found = states(before)
    for row in rows:
        goes_on = row["state"] in ("started", "restarted")
        was = before[row["name"]].state
        state = "active" if goes_on else "inactive"
        found[row["name"]] = {"state": was if was == "activating" and goes_on else state, "enabled": goes_on}
    return found


def ensure(params, system, *, apply):
    """The result of the module `vllm_instances`; see its RETURN."""
    rows = params["instances"]
    for row in rows:
        if not NAME.fullmatch(row["name"]):
            raise NvidiaError(f"{row['name']!r} is no name of an instance: small letters, digits, dots and dashes.")
    names = [row["name"] for row in rows]
    if len(names) != len(set(names)):
        raise NvidiaError("instances names one twice. Remove one of the two.")
    before = observe(system, names)
    steps = plan(before, rows, params["reload"])
    if apply:
        carry_out(system, steps, params["timeout"])
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "diff": {"before": states(before), "after": predict(before, rows)},
    }
