# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of packages, from the catalogue's patterns."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import Choice, render


def for_kernels(patterns: list[str], choice: Choice, kernels: list[str]) -> list[str]:
    return list(dict.fromkeys(name for release in kernels or [""] for name in render(patterns, choice, release)))


def driver_names(platform: dict[str, Any], kernels: list[str]) -> list[str]:
    """Every package of every series and flavour that a plan for this platform and method could ask for."""
    names: list[str] = []
    for offer in platform["offers"]:
        for flavours in offer["builds"].values():
            for flavour, data in flavours.items():
                patterns = data["kernel"] + offer["compute"] + offer["graphics"]
                names += for_kernels(patterns, Choice(offer, flavour), kernels)
    return list(dict.fromkeys(names))


def other_names(others: list[dict[str, Any]], kernels: list[str], but: str) -> list[str]:
    """Packages that another method could have brought and that must go.

    Names that both sources use are no sign of the other source: only packages that bring kernel modules, and those
    named after their series, are listed.

    :param others: the platform with the offers of each other method
    :param but: a series whose names are the same in both sources
    """
    names: list[str] = []
    for platform in others:
        for offer in platform["offers"]:
            if offer["series"] == but:
                continue
            own = [name for name in offer["compute"] + offer["graphics"] if "{series}" in name or "{branch}" in name]
            for flavours in offer["builds"].values():
                for flavour, data in flavours.items():
                    names += for_kernels(data["kernel"] + own, Choice(offer, flavour), kernels)
    return list(dict.fromkeys(names))
