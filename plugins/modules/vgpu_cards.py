#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the cards of a vGPU host into the modes that their virtual GPUs need."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vgpu_cards
short_description: Virtual functions, heterogeneous mode and MIG of the cards of a vGPU host
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Brings cards into the modes that their virtual GPUs need, in the order in which the driver takes them, and one card
    after the other. A card that is as declared is not touched.
  - A card that carries virtual GPUs is refused where its functions or modes would have to change.
  - All of this is lost at a reboot, but for MIG mode on Ampere. The role C(gpufleet.nvidia.vgpu_host) has it restored.
options:
  cards:
    description: The cards.
    type: list
    elements: dict
    required: true
    suboptions:
      address:
        description: The card's address, as C(0000:3b:00.0).
        type: str
        required: true
      functions:
        description:
          - How many virtual functions it needs at least. NVIDIA's C(sriov-manage) enables all that it has, or none.
        type: int
        default: 0
      heterogeneous:
        description: Whether it takes vGPUs of several sizes. V(false) leaves the mode alone.
        type: bool
        default: false
      mig:
        description: Whether it is in MIG mode. V(false) leaves the mode alone.
        type: bool
        default: false
      instances:
        description: GPU instances that it has at least, their number by profile, as C(2g.10gb). They imply MIG mode.
        type: dict
        default: {}
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
notes:
  - Needs root, the loaded vGPU manager, and its programs C(sriov-manage) and C(nvidia-smi).
  - Tested against trees and programs that stand in for cards, written after NVIDIA's documentation. No card was there.
seealso:
  - module: gpufleet.nvidia.mdev
  - module: gpufleet.nvidia.mdev_facts
"""

EXAMPLES = r"""
- name: Have the virtual functions of an A16, and mixed sizes on an L40S
  gpufleet.nvidia.vgpu_cards:
    cards:
      - {address: "0000:3b:00.0", functions: 4}
      - {address: "0000:5e:00.0", functions: 3, heterogeneous: true}
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Enable the virtual functions of 0000:3b:00.0]
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vgpu_cards
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "cards": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "address": {"type": "str", "required": True},
            "functions": {"type": "int", "default": 0},
            "heterogeneous": {"type": "bool", "default": False},
            "mig": {"type": "bool", "default": False},
            "instances": {"type": "dict", "default": {}},
        },
    },
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _vgpu_cards.ensure(module.params, ModuleSystem(module), apply=not module.check_mode, wait=time.sleep)
    except (NvidiaError, _vgpu_cards.Refused) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
