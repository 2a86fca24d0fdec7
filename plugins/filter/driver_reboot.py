# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.driver_reboot."""

from __future__ import annotations

DOCUMENTATION = r"""
name: driver_reboot
short_description: Says whether a host must reboot for its driver plan, and whether a driver would work afterwards
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
  password_at:
    description: Where a person finds the one-time password for MokManager, as words. Never the password itself.
    type: str
    default: the one that the request was staged with
"""

EXAMPLES = r"""
- name: Say why the host must reboot
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.driver_reboot(plan)).reasons }}"
  vars:
    plan: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.driver_plan({}) }}"
"""

RETURN = r"""
_value:
  description: The verdict.
  type: dict
  contains:
    required: {description: Whether the driver waits for a reboot., type: bool}
    reasons: {description: Why, type: list, elements: str}
    blocked:
      description:
        - Why a reboot would leave the host without any driver. The kernel that boots next has no module, or it asks for
          signatures and its module has none, one of a key that nobody knows, or one of a key that is to be removed.
      type: list
      elements: str
    load_now: {description: Whether the modules can be loaded without a reboot., type: bool}
    attended:
      description:
        - Who must be at the console during the reboot, because a request waits for MokManager and would be lost;
          V(console) is the playbook itself, V(person), or null for nobody.
      type: str
    request: {description: 'What waits, V(enrol) or V(delete).', type: str}
    keys: {description: SHA-1 of the certificates that are to be confirmed., type: list, elements: str}
    instructions: {description: What a person does at the console., type: list, elements: str}
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_reboot import driver_reboot


class FilterModule:
    def filters(self):
        return {"driver_reboot": driver_reboot}
