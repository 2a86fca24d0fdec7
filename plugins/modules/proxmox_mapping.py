#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names the cards of a Proxmox VE node in a resource mapping of its cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_mapping
short_description: The cards of a Proxmox VE node in a resource mapping of the cluster
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Gives the cards of the node that it runs on a name in the cluster, so that a machine can name them as
    C(mapping=vgpu,mdev=nvidia-65) whatever node it runs on. The entries of other nodes stay.
  - Run it on one node at a time (C(throttle=1)), for all nodes write the same mapping.
options:
  name:
    description: Name of the mapping.
    type: str
    required: true
  cards:
    description: Addresses of the node's cards, or of the virtual functions that carry its virtual GPUs.
    type: list
    elements: str
    default: []
  node:
    description: The node's name in the cluster. Without it, it is read on the host.
    type: str
  state:
    description: V(absent) takes the node out of the mapping, which goes with its last node.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
notes:
  - Needs root, and Proxmox VE 8 or later with its C(pvesh).
  - Tested with a stand-in for C(pvesh), written after its documentation. No Proxmox VE was there.
"""

EXAMPLES = r"""
- name: Name the Tesla P4 of each node
  gpufleet.nvidia.proxmox_mapping:
    name: vgpu
    cards: ["0000:05:00.0"]
  throttle: 1
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Make the mapping vgpu with pve1]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _proxmox_mapping
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "cards": {"type": "list", "elements": "str", "default": []},
    "node": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _proxmox_mapping.ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
