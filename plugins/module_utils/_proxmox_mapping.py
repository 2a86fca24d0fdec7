# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A resource mapping of Proxmox VE: one name in the cluster for the cards of each of its nodes."""

from __future__ import annotations

import json
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import address
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

TREE = "/cluster/mapping/pci"
PCI = "/sys/bus/pci/devices"
LOCAL = "/etc/pve/local"  # a link to this node's folder
KEYS = ("id", "iommugroup", "node", "path", "subsystem-id")
PATIENCE = 60

# there: whether the name is known; mdev: whether its machines take a part of a card; rows: texts of its entries
Mapping = namedtuple("Mapping", "there mdev rows")


def parse_row(text):
    """``node=pve1,path=0000:05:00.0,id=10de:1bb3`` → a dictionary."""
    pairs = (part.partition("=") for part in str(text).split(","))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def render_row(told):
    return ",".join(f"{name}={told[name]}" for name in KEYS if told.get(name) is not None)


def parse(text, name):
    """The Mapping of that name in what ``pvesh get`` says."""
    try:
        entries = json.loads(text or "[]")
    except ValueError:
        entries = None
    if not isinstance(entries, list):
        raise NvidiaError("pvesh gave no list of mappings: see what `pvesh get /cluster/mapping/pci` says on the host.")
    found = next((row for row in entries if isinstance(row, dict) and row.get("id") == name), None)
    if found is None:
        return Mapping(False, False, ())
    return Mapping(True, str(found.get("mdev", 0)) in ("1", "True"), tuple(str(row) for row in found.get("map") or ()))


def node_name(system):
    """The node as the cluster calls it."""
    link = system.link(LOCAL)
    if not link:
        raise NvidiaError(f"{LOCAL} is not there: this is no Proxmox VE, or its cluster file system does not run.")
    return link.rstrip("/").rsplit("/", 1)[-1]


def row_of(system, node, card):
    """What a card is, as the mapping wants it; Proxmox VE compares it with the card when a machine starts."""

    def value(name):
        return (system.read(f"{PCI}/{card}/{name}") or "").strip().lower().replace("0x", "")

    if not value("vendor"):
        raise NvidiaError(f"No card is at {card}: look with lspci, and correct the address. Nothing was changed.")
    group = system.link(f"{PCI}/{card}/iommu_group")
    return {
        "id": f"{value('vendor')}:{value('device')}",
        "iommugroup": group.rstrip("/").rsplit("/", 1)[-1] if group else None,
        "node": node,
        "path": card,
        "subsystem-id": f"{value('subsystem_vendor')}:{value('subsystem_device')}",
    }


def plan(name, before, node, wanted, state):
    """(argv of pvesh or None, rows afterwards, sentence)

    :param wanted: texts of this node's entries
    """
    others = [row for row in before.rows if parse_row(row).get("node") != node]
    mine = {render_row(parse_row(row)) for row in before.rows if parse_row(row).get("node") == node}
    rows = [*others, *sorted(wanted)] if state == "present" else others
    right = mine == set(wanted) and before.there and before.mdev if state == "present" else not mine
    if right:
        return None, list(before.rows), None
    if not rows:
        return (
            ["pvesh", "delete", f"{TREE}/{name}"],
            [],
            f"Remove the mapping {name}, of which {node} was the last node",
        )
    maps = [word for row in rows for word in ("--map", row)]
    if not before.there:
        return (
            ["pvesh", "create", TREE, "--id", name, "--mdev", "1", *maps],
            rows,
            f"Make the mapping {name} with {node}",
        )
    says = f"Set the cards of {node} in the mapping {name}" if state == "present" else f"Take {node} out of {name}"
    return ["pvesh", "set", f"{TREE}/{name}", "--mdev", "1", *maps], rows, says


def observe(system, name):
    told = system.run(["pvesh", "get", TREE, "--output-format", "json"], timeout=PATIENCE)
    if told.rc:
        why = (told.err.strip() or told.out.strip() or f"it ended with {told.rc}").splitlines()[-1]
        raise NvidiaError(f"The cluster's mappings could not be read: pvesh get {TREE}: {why}")
    return parse(told.out, name)


def ensure(params, system, *, apply):
    """The result of the module `proxmox_mapping`; see its RETURN."""
    name, state = params["name"], params["state"]
    node = params["node"] or node_name(system)
    cards = [address(card) for card in params["cards"]] if state == "present" else []
    if state == "present" and not cards:
        raise NvidiaError(f"The mapping {name} gets no card of {node}: name one in cards, or say state: absent.")
    wanted = [render_row(row_of(system, node, card)) for card in cards]
    before = observe(system, name)
    argv, rows, says = plan(name, before, node, wanted, state)
    if apply and argv:
        told = system.run(argv, timeout=PATIENCE)
        if told.rc:
            why = (told.err.strip() or told.out.strip() or f"it ended with {told.rc}").splitlines()[-1]
            raise NvidiaError(f"{says}: {' '.join(argv[:3])} failed: {why}")
    return {
        "changed": argv is not None,
        "steps": [says] if says else [],
        "diff": {"before": {name: list(before.rows)}, "after": {name: rows}},
    }
