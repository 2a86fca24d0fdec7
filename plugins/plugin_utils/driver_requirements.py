# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the software above the driver demands of it: the least version, and what is said when it moves or is missing."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_gpus import Gpu
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import (
    Choice,
    candidates,
    installed_version,
    is_new_enough,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

Findings = list[dict[str, str]]


def requirement_refusals(
    platform: dict[str, Any], gpus: list[Gpu], wants: dict[str, Any], catalogue: Catalogue
) -> Findings:
    """The errors for requirements that alone leave no choice; empty: there would be none without them either."""
    without = candidates(platform, gpus, {**wants, "requires": []}, catalogue)
    if not without:
        return []
    free = {**wants, "requires": [], "branch": None, "version": None}
    possible = candidates(platform, gpus, free, catalogue)
    return [
        _too_old(row, without, possible, platform, gpus, wants)
        for row in wants["requires"]
        if not any(is_new_enough(choice, row, wants) for choice in without)
    ]


def _too_old(
    row: dict[str, Any],
    without: list[Choice],
    possible: list[Choice],
    platform: dict[str, Any],
    gpus: list[Gpu],
    wants: dict[str, Any],
) -> dict[str, str]:
    cards = listed(list(dict.fromkeys(str(gpu) for gpu in gpus))) if gpus else "a host without GPU"
    offers = listed(list(dict.fromkeys(_said(choice) for choice in possible)))
    better = [choice for choice in possible if is_new_enough(choice, row, {**wants, "version": None})]
    named = next((name for name in ("version", "branch") if wants[name]), None)
    if named and better:
        fit = [str(choice.offer[named]) for choice in better if choice.offer[named]]
        way = f"Set nvidia_driver_{named} to {listed([*dict.fromkeys(fit), 'null'])}"
    else:
        way = f"Ask for an older {row['what'].split(' ')[0]}, or use a platform or a method that has such a driver"
    asked = f"nvidia_driver_{named} {wants[named]} is older" if named else f"{platform['name']} has no such driver"
    return error(
        "driver_too_old_for",
        f"{row['what']} needs driver {row['min_driver']} or newer, but {asked}: for {cards} it offers {offers}. {way}.",
        row["source"],
    )


def _said(choice: Choice) -> str:
    """``580.178.04`` where the version is known, else ``branch 580``."""
    branch = choice.offer["branch"]
    return choice.offer["version"] or (f"branch {branch}" if branch else f"branch {choice.branch} and newer")


def unmet(facts: dict[str, Any], wants: dict[str, Any]) -> list[dict[str, Any]]:
    """The requirements that the installed driver does not meet; empty also where nothing is installed."""
    version = installed_version(facts)
    if not version:
        return []
    return [row for row in wants["requires"] if version_key(version) < version_key(str(row["min_driver"]))]


def move_findings(rows: list[dict[str, Any]], choice: Choice, facts: dict[str, Any]) -> Findings:
    """A note for each requirement because of which the installed driver does not stay."""
    return [
        note(
            "driver_moves_for",
            f"The installed driver {installed_version(facts)} is older than {row['min_driver']}, which {row['what']}"
            f" needs: it moves to {_said(choice)}.",
            row["source"],
        )
        for row in rows
    ]
