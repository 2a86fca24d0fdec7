#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the kernel use the machine's IOMMU from the next boot on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: iommu
short_description: The IOMMU in the kernel's command line, for Intel and AMD
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Where the kernel does not use an IOMMU, adds to its command line what switches it on, C(intel_iommu=on) or
    C(amd_iommu=on) and C(iommu=pt). It counts from the next boot; the module does not reboot.
  - Where an IOMMU is in use nothing is done, whoever switched it on, unless the kernel was started with these words and
    the next boot would lack them; then they are added again.
  - Writes a file in C(/etc/default/grub.d) and calls C(update-grub), or calls C(grubby), or changes
    C(/etc/kernel/cmdline) and calls C(proxmox-boot-tool), by what the host has.
options:
  state:
    description: V(absent) takes away what this module has added.
    type: str
    choices: [enabled, absent]
    default: enabled
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
notes:
  - Needs root. What the firmware has switched off, it cannot switch on, and it says so.
"""

EXAMPLES = r"""
- name: Have the kernel use the IOMMU
  gpufleet.nvidia.iommu:
  register: iommu
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Add intel_iommu=on iommu=pt to the kernel's command line]
works:
  description: Whether the running kernel uses an IOMMU.
  returned: success
  type: bool
files:
  description: Files of this module's own on the host.
  returned: success
  type: list
  elements: path
  sample: [/etc/default/grub.d/gpufleet-iommu.cfg]
reboot_required:
  description: Whether the command line waits for a reboot.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _iommu
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {"state": {"type": "str", "choices": ["enabled", "absent"], "default": "enabled"}}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _iommu.ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
