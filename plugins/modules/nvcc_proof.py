#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiles a small program with a CUDA toolkit, and lets the GPUs run it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nvcc_proof
short_description: Shows that a CUDA toolkit compiles, and that the GPUs run what it made
version_added: 0.1.0
description:
  - Asks a toolkit's C(nvcc) for its release, compiles a small program of this collection with it, and runs it on every
    GPU when O(run=true). The program adds two vectors, and the host checks the result.
  - Nothing stays on the host. In check mode nothing is compiled, and RV(compiled) is false.
options:
  nvcc:
    description: Path of the compiler.
    type: path
    required: true
  release:
    description: The release that it must be of, such as V(12.6).
    type: str
  capabilities:
    description:
      - Compute capabilities to make code for, such as V(6.1). Those that the compiler does not know are told in
        RV(unsupported); it is a failure when it knows none of them.
      - An empty list means the compiler's own default.
    type: list
    elements: str
    default: []
  run:
    description: Whether the program is run, on every GPU that CUDA shows.
    type: bool
    default: false
  timeout:
    description: Seconds that compiling, and running, may take each.
    type: int
    default: 300
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
    details: In check mode nothing is compiled and nothing runs.
  diff_mode:
    support: none
    details: Nothing changes.
  platform:
    platforms: linux
"""

EXAMPLES = r"""
- name: Show that CUDA 12.6 works on the cards of this host
  gpufleet.nvidia.nvcc_proof:
    nvcc: /usr/local/cuda-12.6/bin/nvcc
    release: "12.6"
    capabilities: "{{ ansible_facts['nvidia'].gpus | map(attribute='compute_capability') | unique | list }}"
    run: true
"""

RETURN = r"""
release:
  description: The compiler's release. V(null) in check mode.
  returned: success
  type: str
  sample: "12.6"
version:
  description: The compiler's version.
  returned: success
  type: str
  sample: 12.6.85
compiled:
  description: Whether the program was compiled.
  returned: success
  type: bool
ran:
  description: Whether the program ran on the GPUs and gave the right result.
  returned: success
  type: bool
seconds:
  description: Seconds that compiling took.
  returned: success
  type: float
codes:
  description: What code was made for.
  returned: success
  type: list
  elements: str
  sample: [sm_50, sm_61]
unsupported:
  description: Compute capabilities that the compiler has no code for.
  returned: success
  type: list
  elements: str
devices:
  description: What each GPU made of it, with C(device), C(capability), C(sum) and C(error).
  returned: success
  type: list
  elements: dict
steps:
  description: What was done, or would be done in check mode.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nvcc_proof
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "nvcc": {"type": "path", "required": True},
    "release": {"type": "str"},
    "capabilities": {"type": "list", "elements": "str", "default": []},
    "run": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 300},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _nvcc_proof.ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
