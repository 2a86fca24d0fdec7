# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vllm_models_wanted."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vllm_models_wanted
short_description: Lists the models that a host's vLLM instances need
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Gives the declared models and those that instances name, for M(gpufleet.nvidia.vllm_model).
options:
  _input:
    description: C(vllm_serve_instances).
    type: list
    elements: dict
    required: true
  models:
    description: C(vllm_serve_models).
    type: list
    elements: dict
    required: true
  source:
    description:
      - Where a model comes from that none declares, V(huggingface), V(modelscope), or V(server) for vLLM itself.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the models
  ansible.builtin.debug:
    msg: "{{ vllm_serve_instances | gpufleet.nvidia.vllm_models_wanted([], 'huggingface') }}"
"""

RETURN = r"""
_value:
  description: The models, each with C(name), C(source), and where it is known C(path) and C(revision).
  type: list
  elements: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_models_wanted import models_wanted


class FilterModule:
    def filters(self):
        return {"vllm_models_wanted": models_wanted}
