# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vllm_nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vllm_nodes
short_description: Finds a host's place in vLLM instances that run over several hosts
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Gives C(nodes) for P(gpufleet.nvidia.vllm_serve_plan#filter).
options:
  _input:
    description: C(vllm_serve_nodes).
    type: list
    elements: dict
    required: true
  host:
    description: C(inventory_hostname).
    type: str
    required: true
  groups:
    description: The groups of the inventory with their hosts.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which part this host has
  ansible.builtin.debug:
    msg: "{{ vllm_serve_nodes | gpufleet.nvidia.vllm_nodes(inventory_hostname, groups) }}"
"""

RETURN = r"""
_value:
  description: By instance, C(count) of hosts, this one's C(rank), the leader's C(address) and C(port), C(interface).
  type: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_nodes import vllm_nodes


class FilterModule:
    def filters(self):
        return {"vllm_nodes": vllm_nodes}
