#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads, unloads and reloads NVIDIA's kernel modules, and names who holds them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: driver_modules
short_description: NVIDIA's kernel modules loaded, unloaded or reloaded
version_added: 0.1.0
description:
  - Loads the modules, unloads them with those that use them, or does both, so that a new driver runs without a
    reboot.
  - Refuses to unload while something holds them, and names it. This is a module of another project, or a process
    with one of the device files open, with its number, command and systemd unit.
  - It ends no process. The only ones that it stops are the units in O(stop_units), and these it starts again after
    a reload, and when something fails.
options:
  state:
    description: What is to be true of the modules. V(reloaded) loads them only, when they are not loaded.
    type: str
    choices: [loaded, unloaded, reloaded]
    default: loaded
  modules:
    description: Names of the modules.
    type: list
    elements: str
    choices: [nvidia, nvidia_uvm, nvidia_modeset, nvidia_drm, nvidia_peermem]
    default: [nvidia, nvidia_uvm, nvidia_modeset, nvidia_drm]
  version:
    description: With O(state=reloaded) nothing is reloaded when this is the version that is loaded already.
    type: str
  stop_units:
    description: systemd units to stop before unloading, in this order. Those that do not run are left alone.
    type: list
    elements: str
    default: []
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
"""

EXAMPLES = r"""
- name: Run the new driver without a reboot
  gpufleet.nvidia.driver_modules:
    state: reloaded
    version: 535.261.03
    stop_units: [nvidia-dcgm, nvidia-persistenced]
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Stop nvidia-persistenced, "Unload nvidia_uvm, nvidia"]
users:
  description: The processes that had one of the device files open at the start.
  returned: success
  type: list
  elements: dict
  sample: [{pid: 812, command: nvidia-persistenced, devices: [/dev/nvidia0], unit: nvidia-persistenced.service}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._modules import ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["loaded", "unloaded", "reloaded"], "default": "loaded"},
    "modules": {
        "type": "list",
        "elements": "str",
        "choices": ["nvidia", "nvidia_uvm", "nvidia_modeset", "nvidia_drm", "nvidia_peermem"],
        "default": ["nvidia", "nvidia_uvm", "nvidia_modeset", "nvidia_drm"],
    },
    "version": {"type": "str"},
    "stop_units": {"type": "list", "elements": "str", "default": []},
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
