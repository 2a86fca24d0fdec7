# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vllm_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vllm_serve_plan
short_description: Decides how a host serves its models with vLLM, and what stands in the way
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes the facts of a host, the stack that was chosen for it, the wanted instances and what is known of their
    models, and gives one plan for its servers. Nothing touches the host.
  - All that would let a server die at its start is found here, for all instances together.
  - The plan has no secret in it, only the names of the variables that have one.
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  stack:
    description: What P(gpufleet.nvidia.stack#filter) chose; its C(vllm), its C(gpus) and its findings are read.
    type: dict
    required: true
  wants:
    description:
      - The variables of the role C(gpufleet.nvidia.vllm_serve) without their prefix. What is missing takes its default.
      - What its preflight saw may stand beside them. C(found_version) is the release that an existing environment has.
        C(listening) has the ports that are taken, each with C(port), C(owner) and, where it is one of ours,
        C(instance). C(nodes) is what P(gpufleet.nvidia.vllm_nodes#filter) gives. C(shm_mib) is the size of
        C(/dev/shm). C(secrets_current) says that the files with the secrets
        are as declared.
    type: dict
    required: true
  model_facts:
    description:
      - What is known of models, by the name that the instances use. Each has C(exists), C(path) where it lies on the
        host, C(config) with the contents of its C(config.json), C(missing) with the names of files that should be
        there, and C(bytes) of its weights. Every key may be missing.
    type: dict
"""

EXAMPLES = r"""
- name: Show what would change
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.vllm_serve_plan(chosen, wants)).steps }}"
  vars:
    chosen: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.stack({'vllm': '0.20'}) }}"
    wants:
      version: "0.20"
      instances: [{name: llm, model: /srv/models/llm, port: 8000}]
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
    version:
      description: The release of vLLM that the instances are written for.
      type: str
    skipped:
      description: Why there is nothing to do, as a sentence. V(null) otherwise.
      type: str
    idle:
      description: Whether the host is as declared, or nothing is wanted. An instance with secrets is idle only where
        C(secrets_current) was given.
      type: bool
    instances:
      description:
        - The instances that are to be there, each with C(name), C(state), C(model), C(path) that is served, C(task),
          C(route) of one real request, C(served_names), C(host), C(port), C(url), C(gpus), C(share) of each card,
          C(argv), C(exec), C(config), C(environment), C(secrets), C(shutdown_timeout), C(after) and C(digest).
        - C(argv), C(exec) and C(config) are those of P(gpufleet.nvidia.vllm_arguments#filter).
        - C(secrets) has the names of variables of the environment, with the role's variable that holds the value.
        - C(after) names the instances that must serve first, because they share a card with it.
        - C(digest) changes when the server must be started anew. Secrets' values are not in it.
      type: list
      elements: dict
    absent:
      description: The names of instances that are to be removed.
      type: list
      elements: str
    replicas:
      description: Served names that several instances have, with the names of these.
      type: dict
    steps:
      description: All of this as sentences. Empty means that nothing is to be done.
      type: list
      elements: str
    changed:
      description: The names of the instances that the steps touch; all others keep running.
      type: list
      elements: str
    findings:
      description: What a person must know, errors first, each with C(severity), C(code), C(text) and C(source).
      type: list
      elements: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_plan import vllm_plan


class FilterModule:
    def filters(self):
        return {"vllm_serve_plan": vllm_plan}
