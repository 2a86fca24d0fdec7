# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vgpu_guest_verification."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vgpu_guest_verification
short_description: Compares a vGPU guest with its plan
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Says in sentences where a host is not what the plan of role C(gpufleet.nvidia.vgpu_guest) declares, above all where
    it has no licence, and why.
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  plan:
    description: What P(gpufleet.nvidia.vgpu_guest_plan#filter) gave for the same host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse a guest that is not what was declared
  ansible.builtin.assert:
    that: ansible_facts['nvidia'] | gpufleet.nvidia.vgpu_guest_verification(plan) | length == 0
"""

RETURN = r"""
_value:
  description: The deviations as sentences; empty when there are none.
  type: list
  elements: str
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_guest_verification import vgpu_guest_verification


class FilterModule:
    def filters(self):
        return {"vgpu_guest_verification": vgpu_guest_verification}
