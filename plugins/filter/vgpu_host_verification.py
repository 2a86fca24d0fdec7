# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vgpu_host_verification."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vgpu_host_verification
short_description: Where a vGPU host is not what was declared
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Compares the facts with the plan of P(gpufleet.nvidia.vgpu_host_plan#filter), manager, modes and devices.
positional: _input, plan
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  plan:
    description: The plan of the host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Fail where the host is not what was declared
  ansible.builtin.assert:
    that: ansible_facts['nvidia'] | gpufleet.nvidia.vgpu_host_verification(plan) == []
  vars:
    plan: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.vgpu_host_plan({}, inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: A sentence for each deviation.
  type: list
  elements: str
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_verification import vgpu_host_verification


class FilterModule:
    def filters(self):
        return {"vgpu_host_verification": vgpu_host_verification}
