# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people ask for, in our own shape or in that of NVIDIA's vgpu-device-manager, made into single slots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_cards import Card, Kind, Present, called
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_rules import most

AFFINITIES = (None, "card", "host")
POLICIES = ("pack", "spread")
KNOWN = {
    "name", "profile", "framebuffer_gb", "series", "count", "policy", "anti_affinity", "hosts", "cards", "parameters",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    name: str
    profile: str | None
    size: int | None
    series: str | None
    count: int
    policy: str | None
    apart: str | None
    hosts: tuple[str, ...] | None
    cards: tuple[str, ...] | None
    parameters: Mapping[str, Any] | None

    def takes(self, kind: Kind) -> bool:
        """Whether a type is what is asked for; a framebuffer and a series mean no type for MIG."""
        if self.profile is not None:
            return called(kind, self.profile)
        return (kind.size, kind.series, kind.slices) == (self.size, self.series, None)

    def allows_host(self, host: str) -> bool:
        return self.hosts is None or host in self.hosts

    def allows(self, place: Card | Present) -> bool:
        address = place.card if isinstance(place, Present) else place.address
        return self.allows_host(place.host) and (self.cards is None or address in self.cards)

    def is_met_by(self, present: Present) -> bool:
        """Whether a device is what is asked for, where it may be."""
        return self.allows(present) and self.takes(present.kind)

    @property
    def asked(self) -> str:
        return self.profile or f"a vGPU of series {self.series} with {self.size} MiB"


def refusal(row: Any, place: int) -> str | None:
    """What is wrong with a request, as a sentence, or None."""
    if not isinstance(row, Mapping):
        return f"Request {place} is no dictionary with name, profile and count."
    name = row.get("name") or f"number {place}"
    unknown = sorted(set(row) - KNOWN)
    if unknown:
        return f"Request {name} has {', '.join(map(str, unknown))}, which is none of {', '.join(sorted(KNOWN))}."
    if not row.get("profile") and not (row.get("framebuffer_gb") and row.get("series")):
        return f"Request {name} has neither profile nor both framebuffer_gb and series; write profile: GRID P4-4Q."
    try:
        float(row.get("framebuffer_gb") or 0)
    except (TypeError, ValueError):
        return f"Request {name} has framebuffer_gb {row['framebuffer_gb']}, which is no number of gigabytes."
    if not all(isinstance(row.get(key), (str, list, tuple, type(None))) for key in ("hosts", "cards")):
        return f"Request {name} has hosts or cards that are no list of names."
    if not isinstance(row.get("parameters"), (Mapping, type(None))):
        return f"Request {name} has parameters that are no dictionary, as disable_vnc with 1."
    count = row.get("count", 1)
    if isinstance(count, bool) or not str(count).isdigit():
        return f"Request {name} has count {count}, which is no number of devices."
    if row.get("anti_affinity") not in AFFINITIES:
        return f"Request {name} has anti_affinity {row['anti_affinity']}; it is card or host, or it is left out."
    if row.get("policy") not in (None, *POLICIES):
        return f"Request {name} has policy {row['policy']}; it is pack or spread."
    return None


def _words(value: Any) -> tuple[str, ...] | None:
    return None if value is None else (value,) if isinstance(value, str) else tuple(value)


def request(row: Mapping[str, Any]) -> Request:
    gigabytes = row.get("framebuffer_gb")
    return Request(
        name=str(row.get("name") or row.get("profile") or f"{gigabytes}{row.get('series')}"),
        profile=str(row["profile"]) if row.get("profile") else None,
        size=int(float(gigabytes) * 1024) if gigabytes else None,
        series=row.get("series"),
        count=int(row.get("count", 1)),
        policy=row.get("policy"),
        apart=row.get("anti_affinity"),
        hosts=_words(row.get("hosts")),
        cards=_words(row.get("cards")),
        parameters=row.get("parameters"),
    )


def _matches(card: Card, chosen: Mapping[str, Any], index: int) -> bool:
    devices, filters = chosen.get("devices", "all"), _words(chosen.get("device-filter")) or ()
    if devices != "all" and index not in devices:
        return False
    # The filter is the PCI id as one number: the device's, then the vendor's.
    return not filters or f"0x{card.device}10de" in {text.lower() for text in filters}


def _fill(card: Card, profile: str) -> int:
    kind = next((kind for kind in card.kinds if called(kind, profile)), None)
    return (most(card, kind) if kind else None) or 1


def from_config(config: Any, cards: list[Card]) -> list[dict[str, Any]]:
    """Requests that pin devices to cards, from the list below one name of ``vgpu-configs``.

    A list of names fills the cards of a host with one name each, in turn; rows with ``vgpu-devices`` say how many.
    """
    rows: list[dict[str, Any]] = []
    for host in sorted({card.host for card in cards if card.nvidia}):
        for index, card in enumerate(card for card in cards if card.host == host and card.nvidia):
            plain = [entry for entry in config if isinstance(entry, str)]
            asked = {plain[index % len(plain)]: _fill(card, plain[index % len(plain)])} if plain else {}
            for entry in config:
                if isinstance(entry, Mapping) and _matches(card, entry, index):
                    asked.update(entry.get("vgpu-devices") or {})
            rows += [
                {
                    "name": f"{profile}@{card.address}",
                    "profile": profile,
                    "count": count,
                    "hosts": [host],
                    "cards": [card.address],
                }
                for profile, count in sorted(asked.items())
            ]
    return rows


def normalised(asked: Any, config: str | None, cards: list[Card]) -> tuple[list[Request], list[str]]:
    """(requests, sentences on what is wrong with them)"""
    if isinstance(asked, Mapping) and "vgpu-configs" in asked:
        configs = asked["vgpu-configs"] or {}
        name = config or "default"
        if name not in configs:
            return [], [f"vgpu-configs has no {name}; it has {', '.join(sorted(configs)) or 'nothing'}."]
        asked = from_config(configs[name], cards)
    if isinstance(asked, (str, Mapping)) or not hasattr(asked, "__iter__"):
        return [], ["The requests are no list, and no dictionary with vgpu-configs."]
    rows = list(asked)
    wrong = [sentence for place, row in enumerate(rows, 1) if (sentence := refusal(row, place))]
    requests = [] if wrong else [request(row) for row in rows]
    names = [row.name for row in requests]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        wrong.append(f"Two requests are called {', '.join(twice)}; each needs a name of its own, for its UUIDs.")
    return ([] if wrong else requests), wrong
