# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vgpu_host_reboot."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vgpu_host_reboot
short_description: Whether a vGPU host must reboot, and whether it may
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Compares the facts with the plan of P(gpufleet.nvidia.vgpu_host_plan#filter). A reboot is not to be while virtual
    machines use virtual GPUs of the host, nor into a kernel that has no module of the vGPU manager.
positional: _input, plan, changed_paths
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  plan:
    description: The plan of the host.
    type: dict
    required: true
  changed_paths:
    description: Paths of files that this run has changed.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Say whether the host must reboot
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.vgpu_host_reboot(plan)).reasons }}"
  vars:
    plan: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.vgpu_host_plan({}, inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The answer.
  type: dict
  contains:
    required:
      description: Whether the host must reboot.
      type: bool
    reasons:
      description: Why, as sentences.
      type: list
      elements: str
    blocked:
      description: Why it may not.
      type: list
      elements: str
    load_now:
      description: Whether the module can be loaded without one.
      type: bool
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_reboot import vgpu_host_reboot


class FilterModule:
    def filters(self):
        return {"vgpu_host_reboot": vgpu_host_reboot}
