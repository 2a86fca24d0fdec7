# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.stack_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_table
short_description: Turns the stacks of a fleet into one table for a person
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Gives the lines of a table with one row for each host, and below it what each host must know.
options:
  _input:
    description:
      - By name of the host, C(stack), the result of P(gpufleet.nvidia.stack#filter), or V(null) and in C(error) why
        there is none.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the plan of one host
  ansible.builtin.debug:
    msg: "{{ {inventory_hostname: {'stack': stack, 'error': none}} | gpufleet.nvidia.stack_table }}"
  vars:
    stack: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.stack({}) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_table import stack_table


class FilterModule:
    def filters(self):
        return {"stack_table": stack_table}
