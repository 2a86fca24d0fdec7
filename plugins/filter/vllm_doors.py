# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vllm_doors."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vllm_doors
short_description: Writes front doors of nginx for vLLM servers
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - A door passes on C(/health) and the routes below C(/v1), which the servers' key guards, and closes all others.
    C(/score) and C(/rerank) are passed on to their guarded twins below C(/v1).
options:
  _input:
    description: The plan of P(gpufleet.nvidia.vllm_serve_plan#filter).
    type: dict
    required: true
  doors:
    description: C(vllm_serve_doors).
    type: list
    elements: dict
    required: true
  seen:
    description: The doors that are on the host, their SHA-256 by path, C(ansible_facts['nvidia'].vllm.doors).
    type: dict
    default: {}
  folder:
    description: The folder that nginx reads.
    type: str
    default: /etc/nginx/conf.d
  leaving:
    description: Instances that are about to end, for good or to start anew.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show the doors
  ansible.builtin.debug:
    msg: "{{ (plan | gpufleet.nvidia.vllm_doors(vllm_serve_doors)).files }}"
"""

RETURN = r"""
_value:
  description:
    - C(files) for M(gpufleet.nvidia.managed_files), C(findings), and C(idle) where the host's are the same.
    - C(passing) has the doors of the host as they are to be while the servers in O(leaving) are away, so that requests
      go to others. It is empty where nobody leaves, and a door without another server stays as it is.
  type: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_doors import vllm_doors


class FilterModule:
    def filters(self):
        return {"vllm_doors": vllm_doors}
