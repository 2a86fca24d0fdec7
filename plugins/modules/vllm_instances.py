#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts and stops the units of vLLM servers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vllm_instances
short_description: Starts, restarts and stops the services of vLLM servers in one remote execution
version_added: 0.1.0
description:
  - Works on the units C(vllm@NAME.service) that the role C(gpufleet.nvidia.vllm_serve) writes.
  - All that ends has ended before anything starts. A start is not waited for, because a server needs minutes for its
    model; M(gpufleet.nvidia.vllm_ready) waits and tells why one does not come.
  - Starts that systemd has counted for its limit are forgotten, so that changes do not use it up.
options:
  instances:
    description: The servers.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the instance.
        type: str
        required: true
      state:
        description:
          - V(started) runs, now and at boot; one that runs already goes on. V(restarted) starts anew in any case.
          - V(stopped) and V(absent) run neither now nor at boot.
        type: str
        choices: [started, restarted, stopped, absent]
        default: started
  reload:
    description: Whether systemd reads its units again before it starts something.
    type: bool
    default: false
  timeout:
    description: Seconds that one server may take to end, which is longer when it finishes running requests first.
    type: int
    default: 600
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
seealso:
  - module: gpufleet.nvidia.vllm_ready
"""

EXAMPLES = r"""
- name: Start one server anew
  gpufleet.nvidia.vllm_instances:
    instances:
      - name: llm
        state: restarted

- name: Wait until it serves
  gpufleet.nvidia.vllm_ready:
    instances:
      - name: llm
        url: http://127.0.0.1:8000
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Stop vllm@llm.service, Start vllm@llm.service]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_instances import ensure

ARGUMENT_SPEC = {
    "instances": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "state": {
                "type": "str",
                "choices": ["started", "restarted", "stopped", "absent"],
                "default": "started",
            },
        },
    },
    "reload": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 600},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
