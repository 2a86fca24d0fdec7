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
    """Every package of every series and flavour that a plan for this platform could ask for."""
    names: list[str] = []
    for offer in platform["offers"]:
        for flavours in offer["builds"].values():
            for flavour, data in flavours.items():
                patterns = data["kernel"] + offer["compute"] + offer["graphics"]
                names += for_kernels(patterns, Choice(offer, flavour), kernels)
    return list(dict.fromkeys(names))
