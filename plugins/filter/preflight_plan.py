# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.preflight_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_plan
short_description: Decides what to look for on a host before its first change
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes the facts of a host, the stack that was resolved for it and the declared variables, and says which roles
    have something to do, what already stands in their way, and what P(gpufleet.nvidia.preflight#module) is to check.
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  stack:
    description: The result of P(gpufleet.nvidia.stack#filter) for the same host.
    type: dict
    required: true
  wants:
    description: The declared variables by role, as P(gpufleet.nvidia.wants#lookup) gives them.
    type: dict
    required: true
  options:
    description: The variables of the role C(gpufleet.nvidia.preflight) without their prefix.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: What is to be done on this host?
  ansible.builtin.debug:
    msg: "{{ plan.pending }}"
  vars:
    wants: "{{ lookup('gpufleet.nvidia.wants') }}"
    stack: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.stack(wants) }}"
    plan: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.preflight_plan(stack, wants) }}"
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    idle:
      description: Whether no role has anything to do and nothing is wrong, so that the host need not be looked at.
      type: bool
    pending:
      description: The roles that will change something, in the order in which they run.
      type: list
      elements: str
    arguments:
      description: The options for P(gpufleet.nvidia.preflight#module).
      type: dict
    findings:
      description: What the resolver and the roles' plans have found, errors first.
      type: list
      elements: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.preflight_plan import preflight_plan


class FilterModule:
    def filters(self):
        return {"preflight_plan": preflight_plan}
