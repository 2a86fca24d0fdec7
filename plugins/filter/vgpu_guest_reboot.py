# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vgpu_guest_reboot."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vgpu_guest_reboot
short_description: Decides whether a vGPU guest needs a reboot, and why
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Compares what runs on a vGPU guest with what is installed there.
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
- name: Say why the guest must reboot
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.vgpu_guest_reboot(plan)).reasons }}"
"""

RETURN = r"""
_value:
  description: The decision.
  type: dict
  contains:
    required:
      description: Whether the guest needs a reboot before the driver works.
      type: bool
    reasons:
      description: Why, as sentences.
      type: list
      elements: str
    blocked:
      description: Why a reboot would leave the guest without a driver.
      type: list
      elements: str
    load_now:
      description: Whether the modules on disk can be loaded at once.
      type: bool
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_guest_reboot import vgpu_guest_reboot


class FilterModule:
    def filters(self):
        return {"vgpu_guest_reboot": vgpu_guest_reboot}
