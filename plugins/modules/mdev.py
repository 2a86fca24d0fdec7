#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes, defines and removes the virtual GPUs of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mdev
short_description: Mediated devices and vGPU functions of a host, all in one call
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Brings every declared device into one state. What is as declared is not touched, and nothing else is.
  - Everything is checked before the first change. An unknown type, a full card or a device in use is refused with the
    names that the host offers, what the card holds, or the process that has the device open.
  - A device whose type or parent changed is removed and made anew with the same UUID. Parameters alone are set where it
    is. Both are refused while a program has the device open.
  - A device may have a definition of mdevctl beside it, from which it can be started. Debian's mdevctl starts none of
    them at boot; M(gpufleet.nvidia.mdev_facts) tells whether it does.
  - On Proxmox VE virtual machines make their own devices. Do not declare them there.
options:
  devices:
    description: The devices. One call takes all of a host.
    type: list
    elements: dict
    required: true
    suboptions:
      uuid:
        description:
          - The device's UUID, which the virtual machine's definition names.
          - A function of the vendor-specific interface has none; O(devices[].parent) names it.
        type: str
      parent:
        description:
          - The card, or the virtual function of it, that carries the device, as C(0000:05:00.0). Needed to make one.
        type: str
      type:
        description:
          - Its type, by name (V(GRID P4-4Q) or V(P4-4Q)) or by id (V(nvidia-65) or V(65)). Needed to make one.
          - An id means the same on no two kinds of card; a name does.
        type: str
      autostart:
        description: Whether a definition of mdevctl asks to be started when its parent appears.
        type: bool
        default: true
      parameters:
        description:
          - All of the device's C(vgpu_params), as C(frame_rate_limiter) and C(disable_vnc) with a number. An empty one
            clears them.
          - Without this option they stay as they are.
        type: dict
  state:
    description:
      - V(started) runs, and where mdevctl is the back-end it is defined as well. V(defined) is defined only, and what
        runs goes on. V(stopped) does not run, and its definition stays. V(absent) neither runs nor is defined.
    type: str
    choices: [started, defined, stopped, absent]
    default: started
  backend:
    description:
      - V(auto) takes the vendor-specific interface for a function that has it, mdevctl for another device where it is
        installed, and sysfs where it is not and for a device backed by MIG, which mdevctl cannot keep.
    type: str
    choices: [auto, mdevctl, sysfs, vendor_vfio]
    default: auto
  purge:
    description:
      - Also remove devices and definitions that are not declared. Those of NVIDIA's types count, and those on the
        parents of the declared ones. One that is open is refused.
    type: bool
    default: false
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
    details: Nothing is tried. Where a removal has to make room first, the driver's own word comes only with the change.
  diff_mode:
    support: full
  platform:
    platforms: linux
notes:
  - Needs root.
seealso:
  - module: gpufleet.nvidia.mdev_facts
  - plugin: gpufleet.nvidia.mdev_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Have two virtual GPUs on a Tesla P4, and no others
  gpufleet.nvidia.mdev:
    devices:
      - {uuid: 83c32df7-d52e-4ec1-9668-1f3c7e4df107, parent: "0000:05:00.0", type: GRID P4-4Q}
      - {uuid: 83c32df7-d52e-4ec1-9668-1f3c7e4df108, parent: "0000:05:00.0", type: GRID P4-4Q}
    purge: true

- name: Have what was planned for this host
  gpufleet.nvidia.mdev:
    devices: "{{ plan.devices[inventory_hostname] }}"
  vars:
    plan: "{{ {inventory_hostname: ansible_facts['nvidia']} | gpufleet.nvidia.mdev_plan(requests) }}"
    requests:
      - {name: desktops, profile: GRID P4-4Q, count: 2}

- name: Free a function of the vendor-specific interface
  gpufleet.nvidia.mdev:
    devices: [{parent: "0000:3b:00.4"}]
    state: absent
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Create 83c32df7-d52e-4ec1-9668-1f3c7e4df107 on 0000:05:00.0 as nvidia-65]
touched:
  description: The UUIDs, or the functions' addresses, that the steps are about. Every other device was left alone.
  returned: success
  type: list
  elements: str
devices:
  description:
    - The declared and the touched devices as they are afterwards, with C(key), C(uuid), C(parent), C(type) (its id),
      C(name), C(active), C(defined) and C(autostart).
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "devices": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "uuid": {"type": "str"},
            "parent": {"type": "str"},
            "type": {"type": "str"},
            "autostart": {"type": "bool", "default": True},
            "parameters": {"type": "dict"},
        },
    },
    "state": {"type": "str", "choices": ["started", "defined", "stopped", "absent"], "default": "started"},
    "backend": {"type": "str", "choices": ["auto", "mdevctl", "sysfs", "vendor_vfio"], "default": "auto"},
    "purge": {"type": "bool", "default": False},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _mdev.ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
