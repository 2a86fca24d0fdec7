# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vgpu_migration."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vgpu_migration
short_description: Whether vGPU machines can be moved among hosts
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Compares the facts of the hosts of a cluster in what a machine with a virtual GPU needs to be alike, release and
    version of the vGPU manager, kinds of cards, ECC, the sizes that the cards are cut into, and the kernel interface.
  - A host whose cards are not cut yet differs from none in that.
options:
  _input:
    description:
      - By host the facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']), or V(null) for a
        host that did not answer.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what differs
  ansible.builtin.debug:
    msg: "{{ (facts | gpufleet.nvidia.vgpu_migration).table }}"
  vars:
    hosts: "{{ groups['vgpu_hosts'] }}"
    facts: "{{ dict(hosts | zip(hosts | map('extract', hostvars, ['ansible_facts', 'nvidia']))) }}"
"""

RETURN = r"""
_value:
  description: The comparison.
  type: dict
  contains:
    ready:
      description: Whether machines can move among all of them.
      type: bool
    hosts:
      description:
        - Each host with C(release), C(manager), C(cards), C(ecc), C(split), C(interface) and C(readable).
      type: list
      elements: dict
    differences:
      description: Each with C(column), the C(values) with their hosts, and the C(hosts) that differ from most.
      type: list
      elements: dict
    unreadable:
      description: Hosts that gave no facts.
      type: list
      elements: str
    says:
      description: What stands in the way, as sentences.
      type: list
      elements: str
    table:
      description: The comparison for people, as lines. A cell that differs from those of most hosts ends in V(!).
      type: list
      elements: str
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_migration import vgpu_migration


class FilterModule:
    def filters(self):
        return {"vgpu_migration": vgpu_migration}
