# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vllm_service."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vllm_secrets
short_description: Gives the files that hold the secrets of a host's vLLM servers
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - One file for each instance that has a secret, for systemd's C(EnvironmentFile); one that has none has no file.
  - The result holds secrets, so use it in tasks with C(no_log) alone.
options:
  _input:
    description: The plan of P(gpufleet.nvidia.vllm_serve_plan#filter).
    type: dict
    required: true
  values:
    description: The values of the variables that the plan names, by their names.
    type: dict
    required: true
  layout:
    description: As for P(gpufleet.nvidia.vllm_service#filter); C(folder) is read.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Write the secrets
  gpufleet.nvidia.managed_files:
    files: "{{ plan | gpufleet.nvidia.vllm_secrets({'vllm_serve_api_key': vllm_serve_api_key}, {}) }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: Files for M(gpufleet.nvidia.managed_files).
  type: list
  elements: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_service import vllm_secrets


class FilterModule:
    def filters(self):
        return {"vllm_secrets": vllm_secrets}
