# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a plan is as it is, in sentences."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_gpus import Gpu
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import Choice, installed_choice


def why(
    choice: Choice,
    found: list[Choice],
    gpus: list[Gpu],
    wants: dict[str, Any],
    facts: dict[str, Any],
    platform: dict[str, Any],
) -> dict[str, str]:
    """A sentence for the branch and one for the flavour."""
    cards = listed(list(dict.fromkeys(gpu.name for gpu in gpus))) if gpus else "no GPU"
    branch = choice.offer["branch"] or f"{choice.branch} or newer"
    other = {row.flavour for row in found if row.offer is choice.offer}
    if wants["branch"] or wants["version"]:
        reason = "as the variables ask"
    elif installed_choice([choice], facts):
        reason = "is installed, and nothing asks for another"
    else:
        reason = f"is the first that {platform['name']} offers and that drives {cards}"
    if wants["flavour"] != "auto":
        flavour = "as the variables ask"
    elif installed_choice([choice], facts):
        flavour = "is installed and drives every GPU here"
    elif not gpus:
        flavour = "what NVIDIA's own installer takes for that branch, since no GPU decides"
    elif len(other) == 1:
        flavour = f"is the only flavour that drives {cards} with branch {branch} of {platform['name']}"
    elif choice.flavour == "open":
        flavour = f"drives {cards}, and is what NVIDIA recommends from Turing on"
    else:
        flavour = f"drives {cards}; the open modules of branch {branch} are not ready for them"
    return {
        "branch": f"Branch {branch}: {reason}.",
        "flavour": f"{choice.flavour.capitalize()} kernel modules: {flavour}.",
    }
