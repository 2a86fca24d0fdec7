# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.preflight_variables: reads what the collection's roles know, and compares."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_variables
short_description: Finds misspelt variables of all roles at once
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Compares names of variables with the options and outputs of every role of this collection whose prefix they carry.
options:
  _input:
    description: Names of variables, such as those that P(ansible.builtin.varnames#lookup) finds.
    type: list
    elements: str
    required: true
  roles_path:
    description: Folder of the collection's roles.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Name every variable that no role knows
  ansible.builtin.debug:
    msg: "{{ query('ansible.builtin.varnames', '.+') | gpufleet.nvidia.preflight_variables(role_path ~ '/..') }}"
"""

RETURN = r"""
_value:
  description: One finding for each unknown variable, with the nearest known name.
  type: list
  elements: dict
"""

from functools import cache
from pathlib import Path

import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.preflight_variables import known_variables, misspelt


@cache
def _roles(roles_path: str) -> dict[str, list[str]]:
    def read(path: Path):
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}

    return {
        path.parent.parent.name: known_variables(
            read(path), read(path.parent.parent / "vars" / "main.yml"), path.parent.parent.name
        )
        for path in sorted(Path(roles_path).glob("*/meta/argument_specs.yml"))
    }


def _preflight_variables(names, roles_path):
    return misspelt([str(name) for name in names], _roles(str(roles_path)))


class FilterModule:
    def filters(self):
        return {"preflight_variables": _preflight_variables}
