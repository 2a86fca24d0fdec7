# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order servers are started anew: what may start together, what must wait, and what must end beforehand."""

from __future__ import annotations

from typing import Any

Rows = list[dict[str, Any]]


def new_replicas_first(rows: Rows, seen: dict[str, Any]) -> Rows:
    """The same rows, those in front that do not run and can stand in for one that does while that starts anew.

    :param seen: the instances of the facts, by name
    """

    def serves(row: dict[str, Any]) -> bool:
        return bool((seen.get(row["name"]) or {}).get("active"))

    first = [row for row in rows if not serves(row) and any(serves(one) and _are_replicas(row, one) for one in rows)]
    return [*first, *(row for row in rows if row not in first)]


def waves_of(rows: Rows) -> list[list[str]]:
    """Names of instances that may start together; each list begins when all of the one before serve.

    Servers on one card would each take the other's memory for their own while they measure it; replicas stand in for
    each other, so one alone is away at any time.

    :param rows: the instances that are to start, in the order of the plan
    """
    placed: dict[str, int] = {}
    for at, row in enumerate(rows):
        before = [placed[other["name"]] for other in rows[:at] if _shares(row, other) or _are_replicas(row, other)]
        placed[row["name"]] = max(before, default=-1) + 1
    return [[name for name, wave in placed.items() if wave == at] for at in range(max(placed.values(), default=-1) + 1)]


def stopped_first(rows: Rows, seen: dict[str, Any]) -> list[str]:
    """Instances that run and that must end before any other starts: they hold memory or a port that it is to have.

    :param seen: the instances of the facts, by name
    """
    found = []
    for row in rows:
        there = seen.get(row["name"]) or {}
        others = [other for other in rows if other is not row]
        held = {"gpus": there.get("gpus") or []}
        if there.get("active") and any(
            other["port"] == there.get("port") or (_shares(held, other) and not _are_replicas(row, other))
            for other in others
        ):
            found.append(row["name"])
    return found


def _shares(row: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(set(row["gpus"]) & set(other["gpus"]))


def _are_replicas(row: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(set(row["served_names"]) & set(other["served_names"]))
