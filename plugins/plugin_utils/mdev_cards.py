# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cards of vGPU hosts, their types and their devices, as the planner reads them from the facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import is_called
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

Facts = dict[str, Any]
# From this branch on a card takes several types of one framebuffer size. Before it, all its vGPUs are of one type.
MIXES_SERIES = 550


@dataclass(frozen=True)
class Kind:
    """A type on one kind of card. size: MiB or None; most: instances on a card; available: instances right now."""

    id: str
    name: str
    series: str | None
    size: int | None
    slices: int | None
    most: int | None
    available: int | None


@dataclass(frozen=True)
class Present:
    """A device that a host has. uuid: None for a function of the vendor-specific interface."""

    host: str
    card: str
    parent: str
    uuid: str | None
    kind: Kind
    active: bool
    open: bool


@dataclass(frozen=True)
class Card:
    """functions: how many virtual functions it can have, 0 without SR-IOV; sizes, series: whether they may be mixed."""

    host: str
    address: str
    nvidia: bool
    device: str | None
    framework: str
    parents: tuple[str, ...]
    functions: int
    enabled: int
    mixed: bool
    sizes: bool
    series: bool
    mig: bool | None
    memory: int | None
    kinds: tuple[Kind, ...]
    present: tuple[Present, ...]

    @property
    def key(self) -> tuple[str, str]:
        return self.host, self.address

    @property
    def on_functions(self) -> bool:
        """Whether a device needs a virtual function of its own."""
        return self.functions > 0


def kind_of(row: Facts) -> Kind:
    return Kind(
        row["id"],
        row.get("name") or row["id"],
        row.get("series"),
        row.get("framebuffer_mib"),
        row.get("slices"),
        row.get("max_instances"),
        row.get("available"),
    )


def _mixes_series(told: Facts, branch: int | None) -> bool:
    if told.get("profiles") is not None:
        return bool(told["profiles"])
    return branch is not None and branch >= MIXES_SERIES


def _card(host: str, row: Facts, devices: list[Facts], branch: int | None) -> Card:
    told, sriov, mig = row.get("heterogeneous") or {}, row.get("sriov") or {}, row.get("mig")
    kinds = {kind["id"]: kind_of(kind) for kind in row.get("types") or []}
    present = [
        Present(
            host,
            row["address"],
            device["parent"],
            device.get("uuid"),
            kinds.get(device["type"])
            or Kind(device["type"], device.get("name") or device["type"], None, None, None, None, None),
            bool(device.get("active")),
            bool(device.get("open_by")),
        )
        for device in devices
        if device.get("card") == row["address"]
    ]
    parents = tuple(row.get("parents") or ())
    waits = row.get("framework") == "none" or parents != (row["address"],)
    functions = sriov.get("total") or 0 if waits and row.get("kind") == "gpu" else 0
    return Card(
        host=host,
        address=row["address"],
        nvidia=row.get("kind") == "gpu",
        device=row.get("device"),
        framework=row.get("framework") or "none",
        parents=parents,
        functions=max(functions, len(parents) if parents not in ((), (row["address"],)) else 0),
        enabled=len(parents) if waits else 0,
        mixed=bool(told.get("enabled")),
        sizes=bool(told.get("sizes")),
        series=_mixes_series(told, branch),
        mig=bool(mig["current"]) if mig else None,
        memory=row.get("memory_mib"),
        kinds=tuple(kinds.values()),
        present=tuple(present),
    )


def read(hosts: dict[str, Any]) -> list[Card]:
    """Every card of every host, ordered.

    :param hosts: {host: facts}, either ``ansible_facts['nvidia']`` or its part ``mdev``
    """
    cards = []
    for host in sorted(hosts):
        facts = hosts[host] or {}
        mdev = facts if "cards" in facts else facts.get("mdev") or {}
        loaded = (facts.get("driver") or {}).get("loaded") or {}
        version = version_key(str(loaded.get("version") or ""))
        rows = sorted(mdev.get("cards") or [], key=lambda row: row["address"])
        cards += [_card(host, row, mdev.get("devices") or [], version[0] if version else None) for row in rows]
    return cards


def called(kind: Kind, profile: str) -> bool:
    return is_called(profile, kind.id, kind.name)
