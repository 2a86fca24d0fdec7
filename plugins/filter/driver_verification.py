# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.driver_verification."""

from __future__ import annotations

DOCUMENTATION = r"""
name: driver_verification
short_description: Says where a host is not what its driver plan declares
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Compares the facts of a host with its plan. Nothing touches the host.
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  plan:
    description: The result of P(gpufleet.nvidia.driver_plan#filter) for the same host.
    type: dict
    required: true
  persistence:
    description: Whether persistence mode was declared on or off. V(null) does not compare it.
    type: bool
"""

EXAMPLES = r"""
- name: Fail when the host is not what was declared
  ansible.builtin.assert:
    that: deviations | length == 0
    fail_msg: "{{ deviations }}"
  vars:
    plan: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.driver_plan({}) }}"
    deviations: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.driver_verification(plan) }}"
"""

RETURN = r"""
_value:
  description: One sentence for each deviation, with what to do. Empty when the host is as declared.
  type: list
  elements: str
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_verification import deviations


class FilterModule:
    def filters(self):
        return {"driver_verification": deviations}
