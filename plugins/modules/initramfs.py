#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebuilds an initramfs only when it is older than a configuration file that it must contain."""

from __future__ import annotations

DOCUMENTATION = r"""
module: initramfs
short_description: Initial RAM file systems that are as new as their configuration
version_added: 0.1.0
description:
  - Rebuilds the initramfs of a kernel when it is missing or older than one of the files in O(newer_than), and looks
    inside the new image for the files in O(contains).
  - It compares times of change only, so that a run with nothing to do costs nothing, and an earlier run that was
    cut off between writing a file and the rebuild is made good.
  - The tool is C(update-initramfs), C(dracut) or C(mkinitcpio), whichever is there. A host without any of them,
    such as a container, needs no initramfs and nothing is done.
  - The old image is put back when the rebuild fails.
options:
  kernels:
    description: Releases of the kernels, or V(all) for every installed one.
    type: list
    elements: str
    default: [all]
  newer_than:
    description: Files that the image must not be older than. One that does not exist is no reason to rebuild.
    type: list
    elements: path
    default: []
  contains:
    description: Files that a rebuilt image must contain, so far as they exist on the host.
    type: list
    elements: path
    default: []
  force:
    description: Rebuild whatever the times say, for a run that removed a file which the images contain.
    type: bool
    default: false
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
- name: The blacklist of nouveau reaches the next boot
  gpufleet.nvidia.initramfs:
    newer_than: [/etc/modprobe.d/gpufleet-nvidia.conf]
    contains: [/etc/modprobe.d/gpufleet-nvidia.conf]
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["Rebuild the initramfs of 6.1.0-50-amd64: /etc/modprobe.d/gpufleet-nvidia.conf is newer"]
rebuilt:
  description: The kernels whose initramfs was rebuilt, or would be.
  returned: success
  type: list
  elements: str
  sample: [6.1.0-50-amd64]
tool:
  description: The program that builds the images, or null where there is none.
  returned: success
  type: str
  sample: update-initramfs
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._initramfs import ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "kernels": {"type": "list", "elements": "str", "default": ["all"]},
    "newer_than": {"type": "list", "elements": "path", "default": []},
    "contains": {"type": "list", "elements": "path", "default": []},
    "force": {"type": "bool", "default": False},
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
