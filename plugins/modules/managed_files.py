#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes and removes many small configuration files in one remote execution."""

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_files
short_description: Many small configuration files in one remote execution
version_added: 0.1.0
description:
  - Gives each file its content and mode, or removes it. Files that are right already are not touched.
  - A file is replaced in one step, so that no reader ever sees a part of it, and belongs to the user and the group
    that the module runs as; one whose user has become another is written anew, one whose group has is given
    back. Missing folders are made. A symbolic link is replaced by the file.
options:
  files:
    description: The files. A path may be listed only once.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path of the file.
        type: path
        required: true
      content:
        description: The whole text of the file; needed unless O(files[].state=absent).
        type: str
      mode:
        description: Permissions as an octal number in quotes.
        type: str
        default: "0644"
      state:
        description: Whether the file is to be there.
        type: str
        choices: [present, absent]
        default: present
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
- name: Keep nouveau from loading
  gpufleet.nvidia.managed_files:
    files:
      - path: /etc/modprobe.d/gpufleet-nvidia.conf
        content: |
          blacklist nouveau
          options nouveau modeset=0
      - path: /etc/modprobe.d/nvidia-installer-disable-nouveau.conf
        state: absent
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Create /etc/modprobe.d/gpufleet-nvidia.conf]
changed_paths:
  description: The files that changed, or would change.
  returned: success
  type: list
  elements: str
  sample: [/etc/modprobe.d/gpufleet-nvidia.conf]
changed_contents:
  description: Those of them whose content changes; of the others user, group or mode alone.
  returned: success
  type: list
  elements: str
  sample: [/etc/modprobe.d/gpufleet-nvidia.conf]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._managed_files import ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "path": {"type": "path", "required": True},
            "content": {"type": "str"},
            "mode": {"type": "str", "default": "0644"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    },
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = ensure(
            module.params, ModuleSystem(module), apply=not module.check_mode, owner=(os.geteuid(), os.getegid())
        )
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
