# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Misspelt variables of all roles at once: a role's own preflight would name them only when its turn has come."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.role_variables import unknown_variables


def misspelt(names: list[str], roles: dict[str, list[str]]) -> list[dict[str, str]]:
    """Findings for names that carry a role's prefix and are unknown to it.

    :param roles: role → its options and outputs
    """
    found = []
    for role, known in roles.items():
        # cuda_ is no prefix of a longer role's name here, but nvidia_driver_ could be: the longest prefix owns a name
        own = [name for name in names if owner(name, list(roles)) == role]
        found += unknown_variables(own, known, role)
    return found


def owner(name: str, roles: list[str]) -> str | None:
    """The role whose prefix a variable carries; of several the longest."""
    return max([role for role in roles if name.startswith(f"{role}_")], key=len, default=None)


def known_variables(specification: dict[str, Any], variables: dict[str, Any], role: str) -> list[str]:
    """Options and outputs of a role, from its argument_specs.yml and its vars/main.yml."""
    options = specification["argument_specs"]["main"]["options"]
    return [*options, *(variables.get(f"__{role}_outputs") or [])]
