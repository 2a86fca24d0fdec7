# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the steps: through mdevctl, mdev's sysfs, or the vendor-specific interface."""

from __future__ import annotations

import json

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_mdevctl as mdevctl
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_sysfs as sysfs
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_vendor as vendor
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_capacity import by_card, full
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_state import folder, observe
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import render_pairs
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

PATIENCE = 60  # seconds that the driver may take for one device
NO_ROOM = ("No space left", "Invalid argument", "No available instances")


def poke(system, path, text):
    """Writes one value into sysfs. ``tee`` does it, for a driver may hang there and a process can be given up.

    :returns: the driver's refusal, or None
    """
    result = system.run(["tee", path], data=text, timeout=PATIENCE)
    return None if result.rc == 0 else (result.err.strip() or f"tee ended with {result.rc}")


def call(system, *words, data=None):
    result = system.run(["mdevctl", *words], data=data, timeout=PATIENCE)
    return None if result.rc == 0 else (result.err or result.out).strip() or f"mdevctl ended with {result.rc}"


def stop(system, step):
    running = step.value
    if step.back_end == "vendor_vfio":
        there = vendor.current(system, step.key)
        if f"nvidia-{there}" != running.type:
            return f"it is nvidia-{there} now, so somebody else has taken it since"
        return poke(system, f"{vendor.FUNCTIONS}/{step.key}/nvidia/current_vgpu_type", "0")
    if step.back_end == "mdevctl":
        return call(system, "stop", "--uuid", step.key)
    return poke(system, f"{sysfs.DEVICES}/{step.key}/remove", "1")


def start(system, step):
    running = step.value
    if step.back_end == "mdevctl":
        return call(system, "start", "--uuid", step.key, "--parent", running.parent)
    if step.back_end == "vendor_vfio":
        number = running.type[len("nvidia-") :]
        refusal = poke(system, f"{vendor.FUNCTIONS}/{step.key}/nvidia/current_vgpu_type", number)
    else:
        path = f"{sysfs.PARENTS}/{running.parent}/mdev_supported_types/{running.type}/create"
        refusal = poke(system, path, step.key)
    return refusal or (parameters(system, step) if running.parameters else None)


def parameters(system, step):
    path = f"{folder(step.key, step.value)}/{mdevctl.PARAMETERS}"
    return poke(system, path, render_pairs(step.value.parameters or {}))


def define(system, step):
    row = step.value
    attributes = [{path: text} for path, text in row.rest]
    if row.parameters:
        attributes.append({mdevctl.PARAMETERS: render_pairs(row.parameters)})
    told = {"mdev_type": row.type, "start": "auto" if row.autostart else "manual", "attrs": attributes}
    text = json.dumps(told)
    return call(
        system, "define", "--uuid", row.uuid, "--parent", row.parent, "--jsonfile", "/proc/self/fd/0", data=text
    )


def undefine(system, step):
    row = step.value
    if mdevctl.usable(system) and system.which("mdevctl"):
        return call(system, "undefine", "--uuid", row.uuid, "--parent", row.parent)
    return system.remove(f"{mdevctl.FOLDER}/{row.parent}/{row.uuid}")


HOW = {"stop": stop, "undefine": undefine, "define": define, "start": start, "set": parameters}


def carry_out(system, steps):
    """Takes all steps in their order.

    :raises NvidiaError: at the first that is refused; it says what was done before, and which types hold the card
    """
    for place, step in enumerate(steps):
        refusal = HOW[step.kind](system, step)
        if refusal:
            done = "; ".join(row.says for row in steps[:place]) or "nothing"
            why = ""
            if step.kind == "start" and any(word in refusal for word in NO_ROOM):
                card = sysfs.physical_function(system, step.value.parent)
                why = f" {full(card, step.value.type, by_card(system, observe(system)).get(card, {}))}."
            raise NvidiaError(f"{step.says}: the host refused with: {refusal}.{why} Done before that: {done}.")
