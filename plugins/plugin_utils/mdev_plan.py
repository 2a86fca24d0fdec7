# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans the virtual GPUs of hosts: which card carries which, what has to change first, and what has no place."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import nearest
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note, ordered
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_cards import Kind, Present, read
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_changes import changes, is_mixed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_placement import (
    Slot,
    Table,
    candidates,
    claim,
    mode_of,
    settle,
    too_near,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_requests import POLICIES, normalised

MODES = ("auto", "equal", "mixed")
USER_GUIDE = "NVIDIA vGPU software user guide: valid vGPU configurations on a single GPU"
Seated = list[tuple[Slot, Table, Kind]]


def mdev_plan(
    hosts: dict[str, Any],
    requests: Any,
    policy: str = "pack",
    mode: str = "auto",
    config: str | None = None,
    purge: bool = False,
) -> dict[str, Any]:
    """The plan; see RETURN of the filter. The same facts and requests give the same plan.

    :param hosts: {host: facts}; :param requests: our list, or a dictionary with ``vgpu-configs``
    :param config: the name below ``vgpu-configs``; :param purge: whether devices that nobody declares make room
    """
    cards = read(hosts)
    asked, wrong = normalised(requests, config, cards)
    wrong += [f"policy is {policy}; it is {listed(list(POLICIES))}."] if policy not in POLICIES else []
    wrong += [f"mode is {mode}; it is {listed(list(MODES))}."] if mode not in MODES else []
    slots = claim([] if wrong else asked, cards)
    stays = {slot.present for slot in slots if slot.present and slot.request.is_met_by(slot.present)}
    claimed = {slot.present for slot in slots if slot.present}
    surplus = [present for card in cards for present in card.present if present not in claimed]
    kept = stays | set() if purge else stays | set(surplus)
    start = [_table(card, kept, slots) for card in cards]
    to_place = [slot for slot in slots if slot.present not in stays]
    ways = dict.fromkeys([policy, "pack"]) if not wrong else ["pack"]
    tries = [_settled(to_place, start, way, "auto" if wrong else mode) for way in ways]
    best = min(tries, key=lambda result: len(result[1]))
    return _plan(slots, stays, surplus, best, wrong, purge)


def _settled(to_place: list[Slot], start: list[Table], way: str, mode: str) -> tuple[Seated, list[Slot], list[Table]]:
    """One try on tables of its own: who sits, who is left, and the tables."""
    tables = copy.deepcopy(start)
    seated, left = settle(to_place, tables, way, mode)
    return seated, left, tables


def _table(card: Any, kept: set[Present], slots: list[Slot]) -> Table:
    there = [present for present in card.present if present in kept]
    mode = mode_of(card)
    if mode == "equal" and len({present.kind.size for present in there}) > 1:
        mode = "mixed"
    names = [slot.request.name for slot in slots if slot.present in there]
    return Table(
        card,
        mode,
        kept=[present.kind for present in there],
        waiting=[present.kind for present in there if not present.active],
        names=names,
        running=any(present.active for present in there),
        fresh=len(there) == len(card.present),
    )


def _plan(
    slots: list[Slot],
    stays: set[Present],
    surplus: list[Present],
    best: tuple[Seated, list[Slot], list[Table]],
    wrong: list[str],
    purge: bool,
) -> dict[str, Any]:
    seated, left, tables = best
    rows = [_kept(slot, slot.present) for slot in slots if slot.present and slot.present in stays]
    rows += _new(seated, stays if purge else stays | set(surplus))
    rows.sort(key=lambda row: (row["request"], row["index"]))
    unplaced, needed = _unplaced(left, tables), changes(tables)
    findings = [error("mdev_request_invalid", sentence) for sentence in wrong]
    findings += [error("mdev_unplaced", _told(row), USER_GUIDE) for row in unplaced]
    findings += [note(f"mdev_needs_{row['change']}", row["text"], USER_GUIDE) for row in needed]
    devices: dict[str, list[dict[str, Any]]] = {host: [] for host in sorted({table.card.host for table in tables})}
    for row in rows:
        if row["parent"]:
            devices[row["host"]].append({name: row[name] for name in ("uuid", "parent", "type", "parameters")})
    return {
        "assignments": rows,
        "devices": devices,
        "changes": needed,
        "unplaced": unplaced,
        "surplus": [_present(present) for present in surplus],
        "usage": [_usage(table) for table in tables],
        "findings": ordered(findings),
        "idle": not needed
        and not findings
        and all(row["action"] == "keep" for row in rows)
        and not (purge and surplus),
    }


def _kept(slot: Slot, present: Present) -> dict[str, Any]:
    return {
        "request": slot.request.name,
        "index": slot.index,
        "action": "keep",
        "host": present.host,
        "card": present.card,
        "parent": present.parent,
        "uuid": present.uuid or slot.uuid(present.host),
        "type": present.kind.id,
        "name": present.kind.name,
        "parameters": slot.request.parameters,
    }


def _turn(slot: Slot) -> tuple[bool, str, int]:
    return slot.present is None, slot.request.name, slot.index


def _new(seated: Seated, kept: set[Present]) -> list[dict[str, Any]]:
    """Rows of the devices to make. Where a device needs a function of its own it gets the first that is free."""
    used = Counter((present.host, present.parent) for present in kept)
    rows = []
    for slot, table, kind in sorted(seated, key=lambda row: _turn(row[0])):
        card, old = table.card, slot.present
        here = old is not None and (old.host, old.card) == card.key
        parent: str | None = None
        if not card.on_functions:
            parent = card.parents[0] if card.parents else None
        elif here and old and not used[(card.host, old.parent)]:
            parent = old.parent
        else:
            parent = next((name for name in card.parents if not used[(card.host, name)]), None)
        if card.on_functions and parent:
            used[(card.host, parent)] += 1
        rows.append(
            {
                "request": slot.request.name,
                "index": slot.index,
                "action": "replace" if old else "create",
                "host": card.host,
                "card": card.address,
                "parent": parent,
                "uuid": (old.uuid if old and old.host == card.host else None) or slot.uuid(card.host),
                "type": kind.id,
                "name": kind.name,
                "parameters": slot.request.parameters,
            }
        )
    return rows


def _reason(slot: Slot, tables: list[Table]) -> str:
    """Why no card takes a slot, card by card."""
    allowed = [table for table in tables if slot.request.allows(table.card)]
    if not allowed:
        return "no host of the plan has a card that the request allows"
    ways = candidates(slot, allowed)
    if not ways:
        names = sorted({kind.name for table in allowed for kind in table.card.kinds})
        if not names:
            return "no card offers any type: the vGPU manager is not loaded, or virtual functions are off"
        near = nearest(slot.request.profile, names) or names
        return f"no card offers it; nearest are {listed(near[:5])}"
    said = []
    for table, kind in ways:
        near = too_near(slot, table, tables)
        why = f"it has one of {slot.request.name}, which are to be apart" if near else table.against(kind)
        said.append(f"{table.card.address} on {table.card.host}: {why}")
    return "; ".join(dict.fromkeys(said))


def _unplaced(left: list[Slot], tables: list[Table]) -> list[dict[str, Any]]:
    """What has no place, by request: how many of how many, and why."""
    rows = []
    for name in sorted({slot.request.name for slot in left}):
        mine = [slot for slot in left if slot.request.name == name]
        request = mine[0].request
        rows.append(
            {
                "request": name,
                "asked": request.asked,
                "count": len(mine),
                "fits": request.count - len(mine),
                "of": request.count,
                "reason": _reason(mine[0], tables),
            }
        )
    return rows


def _told(row: dict[str, Any]) -> str:
    return (
        f"{row['count']} of {row['of']} devices of {row['request']} ({row['asked']}) have no place, {row['fits']} fit:"
        f" {row['reason']}. Ask for less or for another type, add a card, or remove what is not needed."
    )


def _present(present: Present) -> dict[str, Any]:
    return {
        "host": present.host,
        "card": present.card,
        "parent": present.parent,
        "uuid": present.uuid,
        "type": present.kind.id,
        "name": present.kind.name,
        "active": present.active,
        "open": present.open,
    }


def _usage(table: Table) -> dict[str, Any]:
    kinds = [*table.kept, *table.added]
    return {
        "host": table.card.host,
        "card": table.card.address,
        "mode": "mixed" if is_mixed(table) else "equal" if table.mode == "mixed" else table.mode,
        "types": dict(sorted(Counter(kind.name for kind in kinds).items())),
        "used_mib": sum(kind.size or 0 for kind in kinds),
        "memory_mib": table.card.memory,
    }
