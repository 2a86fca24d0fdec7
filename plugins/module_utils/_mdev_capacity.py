# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a card cannot have, said before the first step. What a removal frees the driver alone knows, afterwards."""

from __future__ import annotations

from collections import Counter

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_sysfs as sysfs
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_vendor as vendor
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import describe

SHOWN = 3  # UUIDs of a type that a sentence lists


def by_card(system, devices):
    """{card: {key: Running}}"""
    cards: dict = {}
    for key, device in devices.items():
        if device.running:
            cards.setdefault(sysfs.physical_function(system, device.running.parent), {})[key] = device.running
    return cards


def holding(rows):
    """How many devices of which types these are, and which; None for none.

    :param rows: {key: Running} of one card
    """
    kinds: dict = {}
    for key, running in rows.items():
        kinds.setdefault(running.name or running.type, []).append(key)
    said = [f"{len(keys)} x {name} ({some(sorted(keys))})" for name, keys in sorted(kinds.items())]
    return "; ".join(said) or None


def some(keys):
    """The first of many names, and how many more there are."""
    return ", ".join(keys[:SHOWN]) + (f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else "")


def full(card, identity, rows):
    """The end of a sentence on a card that has no room for a type.

    :param rows: {key: Running} of what is on it
    """
    there = holding(rows)
    if not there:
        return f"{card} has no device, so something else forbids {identity}: MIG mode, or missing GPU instances"
    if not any(running.type.startswith("nvidia-") for running in rows.values()):
        return f"{card} holds {there}. Remove some of those, or ask for less"
    return (
        f"{card} holds {there}, and unless it is in heterogeneous mode it has vGPUs of one size at a time. Remove"
        " those, take another card, or ask for their type"
    )


class Kinds:
    """What is known of the types of a host's parents, each parent read once."""

    def __init__(self, system, offers):
        self._system, self._offers, self._rows = system, offers, {}

    def of(self, parent, identity):
        """A type's row as _mdev_types.describe gives it."""
        if parent not in self._rows:
            rows = [describe(*row) for row in sysfs.types(self._system, parent)]
            rows = rows or [describe(*pair) for pair in self._offers.types(parent)]
            self._rows[parent] = {row["id"]: row for row in rows}
        return self._rows[parent].get(identity) or describe(identity, identity)

    def room(self, parent, identity):
        """How many can be made on a parent now, or None where nobody tells."""
        if parent in self._offers.functions:
            return int(identity in vendor.creatable(self._system, parent))
        return sysfs.available(self._system, parent, identity)


def mixed(card, before, after, kinds, modes):
    """The sentence on a card that would have time-sliced vGPUs of two sizes, or of two types where that is forbidden.

    :param before: {key: Running} of the card, :param after: the same; :param modes: gives {card: heterogeneous}
    """
    rows = [kinds.of(running.parent, running.type) for running in after.values()]
    rows = [row for row in rows if row["series"] and row["slices"] is None]
    sizes, names = {row["framebuffer_mib"] for row in rows}, {row["id"] for row in rows}
    if len(names) < 2:
        return None
    mode = modes().get(card, {})
    if len(sizes) > 1 and not mode.get("enabled"):
        kept = {key: running for key, running in before.items() if after.get(key) == running} or before
        wanted = sorted({kinds.of(row.parent, row.type)["name"] for key, row in after.items() if kept.get(key) != row})
        return f"{', '.join(wanted)} on {card} has no place: {full(card, ', '.join(wanted), kept)}."
    if len(sizes) == 1 and mode.get("profiles") is False:
        listed = ", ".join(sorted(row["name"] for row in {row["id"]: row for row in rows}.values()))
        return f"{card} cannot have {listed} together: this driver takes vGPUs of one type at a time on a card."
    return None


def capacity(system, before, after, steps, offers):
    """Sentences on what the plan asks of cards and they cannot give."""
    made = Counter((step.value.parent, step.value.type) for step in steps if step.kind == "start")
    if not made:
        return []
    kinds, was, will, said = Kinds(system, offers), by_card(system, before), by_card(system, after), []
    freed = {sysfs.physical_function(system, step.value.parent) for step in steps if step.kind == "stop"}
    shares: Counter = Counter()
    for (parent, identity), count in sorted(made.items()):
        card, kind = sysfs.physical_function(system, parent), kinds.of(parent, identity)
        total = len([running for running in will[card].values() if running.type == identity])
        room = kinds.room(parent, identity) if card not in freed else None
        if kind["max_instances"] is not None and total > kind["max_instances"]:
            said.append(f"{card} takes at most {kind['max_instances']} x {kind['name']}, and {total} are asked for.")
        elif room is not None and count > room:
            fits = f"{room} more {'fits' if room == 1 else 'fit'}" if room else "none fits"
            said.append(f"{count} x {kind['name']} on {parent}: {fits}; {full(card, kind['name'], was.get(card, {}))}.")
        elif room is not None:
            # Each needs more than 1/(room + 1) of what is free, so that shares of 1 and above are too much.
            shares[parent] += count / (room + 1)
    several = {parent for parent in shares if len([1 for where, _identity in made if where == parent]) > 1}
    for parent in sorted(several):
        if shares[parent] >= 1:
            all_of_them = ", ".join(f"{made[row]} x {row[1]}" for row in sorted(made) if row[0] == parent)
            said.append(f"{parent} has no room for all of {all_of_them} together.")
    for card in sorted({sysfs.physical_function(system, parent) for parent, _identity in made}):
        sentence = None if said else mixed(card, was.get(card, {}), will[card], kinds, offers.modes)
        said += [sentence] if sentence else []
    return said
