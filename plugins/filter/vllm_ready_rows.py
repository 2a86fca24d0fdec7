# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vllm_service."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vllm_ready_rows
short_description: Says what to ask of each vLLM server that is to run
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Gives the C(instances) of M(gpufleet.nvidia.vllm_ready). They hold keys, so use them in tasks with C(no_log) alone.
options:
  _input:
    description: The instances of the plan of P(gpufleet.nvidia.vllm_serve_plan#filter).
    type: list
    elements: dict
    required: true
  values:
    description: The values of the variables that the plan names, by their names.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Wait for all servers
  gpufleet.nvidia.vllm_ready:
    instances: "{{ plan.instances | gpufleet.nvidia.vllm_ready_rows({'vllm_serve_api_key': vllm_serve_api_key}) }}"
"""

RETURN = r"""
_value:
  description: Rows for M(gpufleet.nvidia.vllm_ready).
  type: list
  elements: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_service import ready_rows


class FilterModule:
    def filters(self):
        return {"vllm_ready_rows": ready_rows}
