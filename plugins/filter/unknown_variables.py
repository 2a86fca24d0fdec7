# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.role_variables: reads the role's argument specification and compares."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unknown_variables
short_description: Finds variables with a role's prefix that the role does not have
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Compares names of variables with the options in the role's C(meta/argument_specs.yml).
options:
  _input:
    description: Names of variables, such as those that P(ansible.builtin.varnames#lookup) finds by the role's prefix.
    type: list
    elements: str
    required: true
  role_path:
    description: Folder of the role, as in the variable C(role_path).
    type: path
    required: true
  outputs:
    description: Variables that the role itself sets for its callers.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Refuse misspelt variables
  ansible.builtin.assert:
    that: query('ansible.builtin.varnames', '^cuda_') | gpufleet.nvidia.unknown_variables(role_path) | length == 0
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

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.role_variables import unknown_variables


@cache
def _options(role_path: str) -> tuple[str, ...]:
    text = (Path(role_path) / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    return tuple(yaml.safe_load(text)["argument_specs"]["main"]["options"])


def _unknown_variables(names, role_path, outputs=()):
    return unknown_variables(list(names), [*_options(str(role_path)), *outputs], Path(str(role_path)).name)


class FilterModule:
    def filters(self):
        return {"unknown_variables": _unknown_variables}
