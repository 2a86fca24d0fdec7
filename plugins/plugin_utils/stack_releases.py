# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the catalogue says of CUDA releases: the driver that each needs, and the cards that its compiler knows."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import Card, Driver, Host, drivers
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key


class Release(NamedTuple):
    """One CUDA release. ``floor``: the least driver; ``driver`` or ``branch``: what all its features need."""

    name: str
    update: str | None
    floor: str
    driver: str | None
    branch: int | None
    low: str | None
    high: str | None
    without: list[str]
    src: list[str]


def releases(catalogue: Catalogue) -> list[str]:
    """The names of all releases, newest first."""
    return sorted(catalogue.cuda["releases"], key=version_key, reverse=True)


def release_of(name: str, update: str | None, catalogue: Catalogue) -> Release:
    """:param update: the exact version, such as 12.6.3; None: the newest that is known"""
    row = catalogue.cuda["releases"][name]
    exact = update or max(row["updates"], key=version_key)
    driver = row["updates"].get(exact)
    major = catalogue.cuda["majors"].get(name.split(".")[0])
    floor = str(major["floor"]) if major else driver or min(filter(None, row["updates"].values()), key=version_key)
    cards = row.get("compute_capabilities") or {}
    src = list(dict.fromkeys([*row["src"], *(major["src"] if major else [])]))
    return Release(
        name=name,
        update=update,
        floor=floor,
        driver=driver,
        branch=row.get("new_features_from_branch"),
        low=cards.get("min"),
        high=cards.get("max"),
        without=cards.get("without", []),
        src=src,
    )


def is_dropped(release: Release, card: Card, catalogue: Catalogue) -> bool:
    """Whether the release's compiler no longer has the card; a card of which too little is known is not dropped."""
    rules = catalogue.architectures.get(card.gpu.architecture or "", {})
    last = (rules.get("last_cuda_major_by_capability") or {}).get(card.capability) or rules.get("last_cuda_major")
    if last and version_key(release.name)[0] > int(last):
        return True
    low = version_key(release.low or "0")
    return bool(card.possible) and all(version_key(one) < low for one in card.possible)


def is_newer_card(release: Release, card: Card) -> bool:
    """Whether the compiler does not have the card yet: programs run there only by just-in-time compilation."""
    if not release.high or not card.possible:
        return False
    high = version_key(release.high)
    return all(version_key(one) > high or one in release.without for one in card.possible)


def possible(host: Host, rows: list[Driver]) -> list[Release]:
    """The releases whose compiler has every card and that run on one of the drivers at all, newest first."""
    found = [release_of(name, None, host.catalogue) for name in releases(host.catalogue)]
    return [
        release
        for release in found
        if not any(is_dropped(release, card, host.catalogue) for card in host.cards)
        and any(row.reaches(release.floor) for row in rows)
    ]


def newest(host: Host) -> str | None:
    """The newest release that can be had here at all, whatever branch is asked for."""
    rows = possible(host, drivers(host, free=True))
    return rows[0].name if rows else None


def mode_of(release: Release, driver: Driver | None) -> str | None:
    """``full``: all features; ``minor_version``: with limits; ``older``: the driver is too old; None: no driver."""
    if driver is None:
        return None
    least = release.driver or release.branch
    if least is not None and driver.reaches(least):
        return "full"  # the first releases of a major need less than its floor
    if not driver.reaches(release.floor):
        return "older"
    return "full" if least is None else "minor_version"
