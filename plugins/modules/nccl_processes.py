#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which NCCL the running programs have loaded."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nccl_processes
short_description: Tells which NCCL library each running program has loaded
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Looks into the memory maps of all processes for C(libnccl.so.2), and compares what they have with what the linker
    gives. Frameworks such as PyTorch bring a copy of their own, so that a new package changes nothing for them.
  - Reads only. Without root it sees the caller's own processes alone.
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: linux
options: {}
seealso:
  - module: gpufleet.nvidia.nccl_test
"""

EXAMPLES = r"""
- name: See which NCCL the model servers have loaded
  gpufleet.nvidia.nccl_processes:
  register: loaded

- name: Show those that have another one than the system's
  ansible.builtin.debug:
    msg: "{{ loaded.others }}"
"""

RETURN = r"""
processes:
  description: Each process that has NCCL, with the path of its library and the version where the path tells it.
  returned: success
  type: list
  elements: dict
  sample: [{pid: 4711, program: python3, path: /usr/lib/x86_64-linux-gnu/libnccl.so.2.28.3, version: 2.28.3}]
others:
  description: A sentence for each process that has another library than the linker gives.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nccl_processes
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC: dict = {}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _nccl_processes.ensure(ModuleSystem(module))
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
