# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vllm_service."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vllm_service
short_description: Turns the plan of a host's vLLM servers into systemd units and an order of starts
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes a plan without errors of P(gpufleet.nvidia.vllm_serve_plan#filter) and gives the texts of the units, and
    which servers end, start and wait for each other. Nothing touches the host, and no secret is in it.
options:
  _input:
    description: The plan.
    type: dict
    required: true
  facts:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  layout:
    description:
      - Where things lie and how they start, C(environment), C(user), C(group), C(groups), C(folder), C(home),
        C(cache), C(program), C(program_text), C(start_timeout), C(restart_seconds), C(limit), C(limit_seconds),
        C(after_units), C(hardening_enabled). What is missing takes its default.
    type: dict
    required: true
  secrets_changed:
    description: Paths of the files of secrets whose content is not as declared; their instances start anew.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show which servers would start together
  ansible.builtin.debug:
    msg: "{{ (plan | gpufleet.nvidia.vllm_service(ansible_facts['nvidia'], {'user': 'vllm'})).waves }}"
"""

RETURN = r"""
_value:
  description: The units. What is not to be done is empty.
  type: dict
  contains:
    files:
      description: Files that all instances have in common, with C(path), C(content) and C(mode).
      type: list
      elements: dict
    changed:
      description: Instances whose unit or secrets change.
      type: list
      elements: str
    ending:
      description:
        - Instances that end before any other starts, for M(gpufleet.nvidia.vllm_instances). They are to go, are not to
          run, or hold memory or a port that another is to have.
      type: list
      elements: dict
    leaving:
      description: Those of them that serve, so that front doors pass them by before they end.
      type: list
      elements: str
    ending_files:
      description: Files that go with these, or that are written for those that do not run.
      type: list
      elements: dict
    ending_folders:
      description: Folders that are empty then.
      type: list
      elements: str
    resting:
      description: Instances that are written and do not run.
      type: list
      elements: str
    waves:
      description:
        - Instances that may start together, each with C(names), C(leaving) of those that serve until then,
          C(awaited) of those that answer without other hosts, C(instances), C(files)
          and C(secret_paths). Each begins when all of the one before serve.
      type: list
      elements: dict
    staying:
      description:
        - C(files) and C(secret_paths) of the instances that stay as they are. Their content is right already, so that
          writing them sets owner and mode alone and concerns no server.
      type: dict
    command_lines:
      description: What M(gpufleet.nvidia.vllm_check) is to look at.
      type: list
      elements: dict
    steps:
      description: All of this as sentences.
      type: list
      elements: str
    idle:
      description: Whether nothing is to be done.
      type: bool
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_service import vllm_service


class FilterModule:
    def filters(self):
        return {"vllm_service": vllm_service}
