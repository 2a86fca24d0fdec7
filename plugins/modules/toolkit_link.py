#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says which of several CUDA toolkits /usr/local/cuda means."""

from __future__ import annotations

DOCUMENTATION = r"""
module: toolkit_link
short_description: The toolkit that /usr/local/cuda means, by alternatives
version_added: 0.1.0
description:
  - Registers toolkits as choices of an alternative and sets the one that the link means, as NVIDIA's packages do.
  - A link that points to a toolkit directly, as NVIDIA's runfile leaves it, becomes one of the alternatives system. A
    real folder is not touched.
  - The state is read from the disk. C(update-alternatives) runs only to change something.
options:
  state:
    description: Whether the link is to be there. V(absent) takes the choices away, all of them without O(choices).
    type: str
    choices: [present, absent]
    default: present
  path:
    description: The toolkit that the link means. Needed with O(state=present).
    type: path
  choices:
    description: The toolkits to choose from, O(path) among them. Others that are registered stay.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Folder of a toolkit.
        type: path
        required: true
      priority:
        description: Its priority, by which the alternatives system chooses when nobody does.
        type: int
        required: true
  link:
    description: The link.
    type: path
    default: /usr/local/cuda
  name:
    description: The name of the alternative.
    type: str
    default: cuda
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
- name: /usr/local/cuda is CUDA 12.6, and 11.8 is there to choose
  gpufleet.nvidia.toolkit_link:
    path: /usr/local/cuda-12.6
    choices:
      - {path: /usr/local/cuda-12.6, priority: 126}
      - {path: /usr/local/cuda-11.8, priority: 118}
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Let /usr/local/cuda mean /usr/local/cuda-12.6]
path:
  description: What the link means afterwards. V(null) when it is gone.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _toolkit_link
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "path": {"type": "path"},
    "choices": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "path", "required": True},
            "priority": {"type": "int", "required": True},
        },
    },
    "link": {"type": "path", "default": "/usr/local/cuda"},
    "name": {"type": "str", "default": "cuda"},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, required_if=[("state", "present", ["path"])], supports_check_mode=True)
    try:
        result = _toolkit_link.ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
