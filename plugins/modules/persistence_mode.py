#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns the kernel module's own persistence mode on or off."""

from __future__ import annotations

DOCUMENTATION = r"""
module: persistence_mode
short_description: The persistence mode of GPUs, without a daemon
version_added: 0.1.0
description:
  - Turns persistence mode on or off through NVML. When nvidia-persistenced runs, NVML hands this on to the daemon;
    otherwise the mode is set in the kernel module, where it is deprecated and lost at the next boot.
  - The role C(gpufleet.nvidia.persistenced) has the daemon do this for good. The module is for places where none runs.
  - A GPU that has no such mode is left alone. After a change the modes are read again.
  - NVML is asked in a process of its own, with a time-out. nvidia-ml-py must be there for the target's Python.
options:
  state:
    description: Whether persistence mode is on.
    type: str
    choices: [enabled, disabled]
    default: enabled
  gpus:
    description: The GPUs by index, PCI address or UUID. An empty list means all of them.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that NVML may take. A GPU that is not initialised yet takes some.
    type: int
    default: 120
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
  - module: gpufleet.nvidia.gpu_facts
"""

EXAMPLES = r"""
- name: Keep all GPUs initialised until the next boot
  gpufleet.nvidia.persistence_mode:

- name: Let the second GPU go
  gpufleet.nvidia.persistence_mode:
    state: disabled
    gpus: ["1"]
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["Turn persistence mode on for GPU 0 (0000:01:00.0)"]
modes:
  description: The mode of each GPU afterwards, by PCI address. V(unsupported) is one that has no such mode.
  returned: success
  type: dict
  sample: {"0000:01:00.0": enabled}
"""

import sys

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._persistence_mode import ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["enabled", "disabled"], "default": "enabled"},
    "gpus": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 120},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = ensure(module.params, ModuleSystem(module), apply=not module.check_mode, python=sys.executable)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
