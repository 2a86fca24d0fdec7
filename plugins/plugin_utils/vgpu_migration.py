# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can vGPU machines be moved among these hosts? What differs, as a table with the differing cells named."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue, load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_manager import loaded_version, manager_version

COLUMNS = ("host", "release", "manager", "cards", "ecc", "split", "interface")
# What must be the same for a machine to move, and what to do where it is not.
RULES = {
    "release": "the vGPU managers are of different releases: a machine moves only between hosts of one release. Bring"
    " all of them to one (vgpu_host_driver)",
    "manager": "the vGPU managers have different versions. Within a release it may work, and NVIDIA tests equal ones:"
    " bring all of them to one (vgpu_host_driver)",
    "cards": "the hosts have cards of different kinds: a machine's type is there on one of them alone. Keep machines on"
    " hosts with the same cards",
    "ecc": "ECC is on at some hosts and off at others, which forbids moving. Set it everywhere with nvidia-smi -e 0 or"
    " -e 1, and reboot",
    "split": "the cards are cut into different types, so that a machine finds no place of its type. Declare the same"
    " vgpu_host_requests for all of them",
    "interface": "the hosts make virtual GPUs through different kernel interfaces. Run the same kernel and manager on"
    " all of them",
}
UNREAD = "no facts"
MARK = "!"


def vgpu_migration(hosts: dict[str, Any], catalogue: Catalogue | None = None) -> dict[str, Any]:
    """``{ready, hosts: [rows], differences: [..], unreadable: [names], table: [lines], says: [sentences]}``.

    :param hosts: by name ``ansible_facts['nvidia']``, or None for a host that did not answer
    """
    catalogue = catalogue or load()
    rows = [_row(name, hosts[name], catalogue) for name in sorted(hosts)]
    readable = [row for row in rows if row["readable"]]
    differences = [found for column in RULES if (found := _difference(column, readable))]
    # Two releases have two versions: that is one difference, and told once.
    if any(found["column"] == "release" for found in differences):
        differences = [found for found in differences if found["column"] != "manager"]
    unreadable = [row["host"] for row in rows if not row["readable"]]
    empty = [row["host"] for row in readable if not row["cards"]]
    says = [_told(found) for found in differences]
    if unreadable:
        says.append(f"{listed(unreadable)}: nothing could be read, so nobody knows whether a machine can move there.")
    if empty:
        says.append(f"{listed(empty)}: no card can be cut into virtual GPUs, so that no machine can move there.")
    if len(rows) < 2:
        says.append("There are not two hosts to move a machine between.")
    return {
        "ready": not says,
        "hosts": rows,
        "differences": differences,
        "unreadable": unreadable,
        "says": says,
        "table": table(rows, differences),
    }


def release_of(version: str | None, catalogue: Catalogue) -> str | None:
    """The vGPU release of a manager (``19.2``), or that of its branch (``19``); None: it is not known."""
    for line, row in catalogue.vgpu.items():
        if version and str(row["branch"]) == version.split(".", maxsplit=1)[0]:
            names = [name for name, pair in row["releases"].items() if pair.get("host") == version]
            return names[0] if names else line
    return None


def _row(name: str, facts: dict[str, Any] | None, catalogue: Catalogue) -> dict[str, Any]:
    mdev = (facts or {}).get("mdev") or {}
    cards = mdev.get("cards") or []
    version = (loaded_version(facts) or manager_version(facts)) if facts else None
    able = [card for card in cards if card.get("types")]
    devices = [row for row in mdev.get("devices") or [] if row["active"]]
    return {
        "host": name,
        "readable": bool(facts),
        "release": release_of(version, catalogue),
        "manager": version,
        "cards": _counted([_model(card, catalogue) for card in able]),
        "ecc": _ecc(able),
        "split": listed_splits(able, devices),
        "interface": listed(sorted({card["framework"] for card in able})) if able else None,
    }


def _model(card: dict[str, Any], catalogue: Catalogue) -> str:
    board = catalogue.boards.get(str(card.get("device") or ""), {})
    return str(card.get("name") or board.get("name") or card.get("device") or card["address"])


def _counted(words: list[str]) -> str | None:
    return listed([f"{count} x {word}" for word, count in sorted(Counter(words).items())]) if words else None


def _ecc(cards: list[dict[str, Any]]) -> str | None:
    """on, off, or mixed where a host's cards differ; None: NVML does not tell."""
    told = {(card["ecc"] or {}).get("current") for card in cards if card.get("ecc")} - {None}
    if not told:
        return None
    return "mixed" if len(told) > 1 else "on" if told == {True} else "off"


def listed_splits(cards: list[dict[str, Any]], devices: list[dict[str, Any]]) -> str | None:
    """What sizes the cards are cut into, such as ``8 GB`` and ``3 GB``; a card that is whole takes any."""
    kinds = {(card["address"], kind["id"]): kind for card in cards for kind in card["types"]}
    sizes = set()
    for row in devices:
        kind = kinds.get((row["card"], row["type"])) or {}
        size = kind.get("framebuffer_mib")
        if (row["card"], row["type"]) in kinds:
            sizes.add(f"{size / 1024:g} GB" if size else str(row.get("name") or row["type"]))
    return listed(sorted(sizes)) if sizes else None


def _difference(column: str, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """``{column, values: {value: [hosts]}, hosts: those that differ from most}``; None: all are alike.

    A host that has no split yet differs from none; one whose ECC is on for some of its cards differs from itself.
    """
    values: dict[str, list[str]] = {}
    for row in rows:
        if row[column] is not None:
            values.setdefault(row[column], []).append(row["host"])
    if len(values) < 2 and "mixed" not in values:
        return None
    most = max(values, key=lambda value: (value != "mixed", len(values[value]), value))
    odd = sorted(host for value, names in values.items() if value != most or value == "mixed" for host in names)
    return {"column": column, "values": dict(sorted(values.items())), "hosts": odd}


def _told(found: dict[str, Any]) -> str:
    seen = "; ".join(f"{value} on {listed(names)}" for value, names in found["values"].items())
    return f"{found['column']}: {seen}: {RULES[found['column']]}."


def table(rows: list[dict[str, Any]], differences: list[dict[str, Any]]) -> list[str]:
    """Columns as wide as they need to be; a cell that differs from those of most hosts has an exclamation mark."""
    odd = {(found["column"], host) for found in differences for host in found["hosts"]}
    texts = [
        [
            f"{(row[key] or ('-' if row['readable'] else UNREAD))}{MARK if (key, row['host']) in odd else ''}"
            for key in COLUMNS
        ]
        for row in rows
    ]
    widths = [max(len(column), *(len(text[at]) for text in texts), 0) for at, column in enumerate(COLUMNS)]
    lines = [COLUMNS, *texts]
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
