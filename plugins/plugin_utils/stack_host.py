# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the resolver chooses among on one host: its cards, and the drivers that they and the wants leave."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_toolkits import is_grid_guest
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_gpus import Gpu, gpus_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_runfile import runfile_platform
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import (
    VERSION,
    Choice,
    branch_of,
    candidates,
    installed_version,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_sources import platform_of_method
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key


class Card(NamedTuple):
    """A GPU of the host; ``capability`` and ``memory_mib`` are None where nobody says."""

    gpu: Gpu
    capability: str | None
    memory_mib: int | None
    possible: list[str]

    def row(self) -> dict[str, Any]:
        return {
            "address": self.gpu.address,
            "device": self.gpu.device,
            "name": self.gpu.name,
            "architecture": self.gpu.architecture,
            "compute_capability": self.capability,
            "memory_mib": self.memory_mib,
        }

    def __str__(self) -> str:
        known = f" (compute capability {self.capability})" if self.capability else ""
        return f"{self.gpu}{known}"


class Host(NamedTuple):
    """One host as the resolver sees it.

    ``offering`` is the platform with the drivers of the wanted method, None where there are none to choose among.
    ``fixed`` is the version of a driver that is not the resolver's to choose; ``is_guest`` tells a vGPU guest.
    """

    facts: dict[str, Any]
    catalogue: Catalogue
    platform: dict[str, Any] | None
    offering: dict[str, Any] | None
    cards: list[Card]
    driver: dict[str, Any]
    is_guest: bool
    fixed: str | None


def host_of(facts: dict[str, Any], driver: dict[str, Any], fixed: str | None, catalogue: Catalogue) -> Host:
    """:param driver: the variables of nvidia_driver; *fixed*: the guest driver that is asked for, None: as it is"""
    system = facts.get("system") or {}
    platform = catalogue.platform(system.get("distribution"), system.get("version"))
    offering = None
    if platform and driver["method"] == "runfile":
        offering = runfile_platform(platform, driver)
    elif platform:
        offering = platform_of_method(platform, driver["method"])
    is_guest = is_grid_guest(facts) or fixed is not None
    there = guest_version(facts) if is_guest else None
    return Host(facts, catalogue, platform, offering, cards_of(facts, catalogue), driver, is_guest, fixed or there)


def cards_of(facts: dict[str, Any], catalogue: Catalogue) -> list[Card]:
    """The GPUs with what NVML says of them, else what the catalogue says of the board or of its architecture."""
    seen = {row.get("address"): row for row in facts.get("gpus") or []}
    cards = []
    for gpu in gpus_of(facts, catalogue):
        board = catalogue.boards.get(gpu.device, {})
        possible = list(catalogue.architectures.get(gpu.architecture or "", {}).get("compute_capabilities") or [])
        told = (seen.get(gpu.address) or {}).get("compute_capability") or board.get("compute_capability")
        capability = str(told) if told else (possible[0] if len(possible) == 1 else None)
        memory = (seen.get(gpu.address) or {}).get("memory_mib") or board.get("memory_mib")
        cards.append(Card(gpu, capability, memory, [capability] if capability else possible))
    return cards


def guest_version(facts: dict[str, Any]) -> str | None:
    """The version of a guest's driver: what is installed, else what is loaded."""
    driver = facts.get("driver") or {}
    told = [
        installed_version(facts),
        (driver.get("loaded") or {}).get("version"),
        ((facts.get("grid") or {}).get("package") or {}).get("version"),
        (driver.get("library") or {}).get("version"),
    ]
    found = [re.match(rf"(?:\d+:)?({VERSION.pattern})", str(text or "")) for text in told]
    return next((match.group(1) for match in found if match), None)


class Driver(NamedTuple):
    """A driver: its version where it is known, else its branch; a rolling release has no end."""

    version: str | None
    branch: int | None
    is_rolling: bool = False

    def reaches(self, least: str | int) -> bool:
        """Whether it is *least* or newer; of a branch alone the newest is meant."""
        key = version_key(str(least))
        if self.version:
            return version_key(self.version) >= key
        return self.is_rolling or (self.branch is not None and self.branch >= key[0])

    def __str__(self) -> str:
        return self.version or (f"branch {self.branch}{' and newer' if self.is_rolling else ''}")


def choices_of(host: Host, requires: list[dict[str, Any]], free: bool = False) -> list[Choice]:
    """The series and flavours that are left, best first.

    :param free: as if neither a branch nor a version was asked for
    """
    if host.offering is None:
        return []
    wants = {**host.driver, "requires": requires}
    if free and host.driver["method"] != "runfile":
        wants.update(branch=None, version=None)
    return candidates(host.offering, [card.gpu for card in host.cards], wants, host.catalogue)


def drivers(host: Host, free: bool = False) -> list[Driver]:
    """The drivers that the cards and the wants leave, best first; a vGPU guest's is its own, if it is known."""
    if host.is_guest:
        return [Driver(host.fixed, branch_of(host.fixed))] if host.fixed else []
    asked = None if free else host.driver["version"]
    return [
        Driver(asked or row.offer["version"], row.branch, row.offer["branch"] is None)
        for row in choices_of(host, [], free)
    ]


def driver_said(host: Host, rows: list[Driver]) -> str:
    """The drivers that can be had, for people."""
    if host.is_guest:
        return f"this vGPU guest's driver is {host.fixed}, which the vGPU release of its host decides"
    cards = listed(list(dict.fromkeys(str(card.gpu) for card in host.cards))) if host.cards else "a host without GPU"
    name = (host.offering or {}).get("name") or "this platform"
    return f"{name} offers for {cards} {listed(list(dict.fromkeys(str(row) for row in rows)))}"
