# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vllm_models_wanted."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vllm_models_seen
short_description: Turns what is known of models into what the plan of vLLM servers may hold against them
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - A model that is still to be fetched is no model that is missing; only where it will lie is known of it.
options:
  _input:
    description: C(models) as M(gpufleet.nvidia.vllm_model) returns them.
    type: dict
    required: true
  wanted:
    description: The models as P(gpufleet.nvidia.vllm_models_wanted#filter) gives them.
    type: list
    elements: dict
    required: true
  folder:
    description: The folder for fetched models.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what the plan knows of models
  ansible.builtin.debug:
    msg: "{{ looked.models | gpufleet.nvidia.vllm_models_seen(wanted, '/var/lib/vllm/models') }}"
"""

RETURN = r"""
_value:
  description: C(model_facts) for P(gpufleet.nvidia.vllm_serve_plan#filter).
  type: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_models_wanted import models_seen


class FilterModule:
    def filters(self):
        return {"vllm_models_seen": models_seen}
