#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver's part of the facts, for people who want no more than that."""

from __future__ import annotations

DOCUMENTATION = r"""
module: driver_facts
short_description: Finds out which NVIDIA driver a host has, and whether it is of one piece
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - The subset V(driver) of M(gpufleet.nvidia.gpu_facts) with what it needs (operating system, kernels, PCI
    functions), and nothing that asks a GPU. It gives the same values at the same places.
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
  - module: gpufleet.nvidia.gpu_facts
"""

EXAMPLES = r"""
- name: Read which driver is here
  gpufleet.nvidia.driver_facts:

- name: Refuse to go on with a driver in pieces
  ansible.builtin.assert:
    that: ansible_facts['nvidia'].coherence.verdict == 'coherent'
"""

RETURN = r"""
ansible_facts:
  description: What was read, below one key.
  returned: always
  type: dict
  contains:
    nvidia:
      description: As M(gpufleet.nvidia.gpu_facts) returns it, without the subsets nvml and persistence.
      type: dict
      returned: always
      contains:
        driver:
          description: Loaded module, modules on disk by kernel, DKMS, library, install method and packages.
          type: dict
          returned: always
        coherence:
          description: One verdict, C(absent), C(coherent), C(needs_reload), C(needs_reboot) or C(broken), with reasons.
          type: dict
          returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._facts import probe
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC: dict = {}


def main():
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = probe(ModuleSystem(module), ["driver"])
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
