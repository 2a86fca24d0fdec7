# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vllm_arguments."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vllm_arguments
short_description: Writes one instance as the arguments of a release of vLLM
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Options of C(vllm serve) come, go and change their kind from release to release. This takes an instance in the
    words of C(vllm_serve_instances) and says the same in the options of one release.
  - A want that the release cannot do is an error that names the release that can.
  - No secret is ever among the arguments.
options:
  _input:
    description: One instance, as an element of C(vllm_serve_instances).
    type: dict
    required: true
  version:
    description: The release, such as V(0.11.0).
    type: str
    required: true
  model:
    description: Where the model lies on the host. V(null) is what the instance says.
    type: str
"""

EXAMPLES = r"""
- name: Show how two releases say the same
  ansible.builtin.debug:
    msg:
      - "{{ (embedding | gpufleet.nvidia.vllm_arguments('0.9.2')).exec }}"
      - "{{ (embedding | gpufleet.nvidia.vllm_arguments('0.20.2')).exec }}"
  vars:
    embedding: {name: embedding, model: /srv/models/bce, task: embed, port: 58002}
"""

RETURN = r"""
_value:
  description: The instance for that release.
  type: dict
  contains:
    argv:
      description: The arguments of C(vllm), of which C(serve) is the first. Empty where the instance itself is wrong.
      type: list
      elements: str
    exec:
      description: The same as one line for systemd, quoted.
      type: str
    config:
      description: The same as a file for C(--config). C(argv) must stand on the command line, before C(--config) and
        the path; C(content) is the file. It is V(null) for releases before 0.8.5, which read such a file differently.
      type: dict
    environment:
      description: Variables of the environment that belong to it, without secrets.
      type: dict
    findings:
      description: What is wrong, each with C(severity), C(code), C(text) and C(source).
      type: list
      elements: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_arguments import vllm_arguments
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_spec import instance_of

NOTHING = {"argv": [], "exec": "", "config": {"argv": [], "content": None}, "environment": {}}


def arguments(instance, version, model=None):
    spec, findings = instance_of(instance)
    if not spec or not spec["valid"] or spec["state"] == "absent":
        return {**NOTHING, "findings": findings}
    written = vllm_arguments(spec, str(version), model)
    return {**written, "findings": [*findings, *written["findings"]]}


class FilterModule:
    def filters(self):
        return {"vllm_arguments": arguments}
