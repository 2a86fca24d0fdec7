# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.nccl_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nccl_plan
short_description: Decides how a host gets NCCL, and what stands in the way
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes the facts of a host, the stack that was chosen for it and the wants of its owner, and gives one plan for NCCL.
    Nothing touches the host.
  - The plan of a host that is as declared has no steps.
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  stack:
    description: What P(gpufleet.nvidia.stack#filter) chose; its C(nccl) and its findings are read.
    type: dict
    required: true
  wants:
    description:
      - The variables of the role C(gpufleet.nvidia.nccl) without their prefix.
      - What is missing takes its default.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what would change
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.nccl_plan(chosen, {'version': 'auto'})).steps }}"
  vars:
    chosen: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.stack({'cuda': '12.6', 'nccl': 'auto'}) }}"
"""

RETURN = r"""
_value:
  description:
    - The plan. What is not to be done is V(false), V(null) or empty.
  type: dict
  contains:
    state:
      description: What is wanted, V(present) or V(absent).
      type: str
    method:
      description: V(repository), V(distribution) or V(hpcsdk).
      type: str
    version:
      description: The version of NCCL.
      type: str
    skipped:
      description: Why there is nothing to do, as a sentence. V(null) otherwise.
      type: str
    idle:
      description: Whether the host is as declared, or nothing is wanted.
      type: bool
    packages:
      description: Packages to ask for, with C(=) and their version.
      type: list
      elements: str
    hold:
      description: Whether they are held. V(null) where no package is asked for.
      type: bool
    repository:
      description: The file that has apt find the packages. V(null) where none is needed.
      type: dict
    key:
      description: The key of that repository, with C(path), C(url), C(content) and C(fingerprint).
      type: dict
    refresh_linker:
      description: Whether the linker's cache lacks a library that is there.
      type: bool
    remove:
      description: Packages to remove.
      type: list
      elements: str
    steps:
      description: What will be done, one sentence each.
      type: list
      elements: str
    deviations:
      description: In what the host is not as declared, as sentences.
      type: list
      elements: str
    findings:
      description: What a person must know, errors first, each with C(severity), C(code), C(text) and C(source).
      type: list
      elements: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.nccl_plan import nccl_plan


class FilterModule:
    def filters(self):
        return {"nccl_plan": nccl_plan}
