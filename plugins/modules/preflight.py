#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for everything on a host that would stop a change half way."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Finds what would stop a change half way, all of it at once
version_added: 0.1.0
description:
  - Looks at a host for everything that would stop the roles of this collection, and returns all of it as findings.
    Nothing is changed, and one finding never hides another.
  - Room on the disks, locks of the package manager and interrupted runs, names and versions that no repository has,
    headers, a simulated transaction that would touch the kernel or foreign packages, programs that hold the GPUs, the
    key that signs modules, the IOMMU and the clock.
  - What to look for follows from the stack of a host and is decided by P(gpufleet.nvidia.preflight_plan#filter).
options:
  transactions:
    description:
      - What the package manager will be asked for, one entry for each role.
      - Only apt is asked what it would do. With other package managers the roles' own modules find out.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Whose transaction it is.
        type: str
        required: true
      driver:
        description: Whether it is the driver's own; otherwise it must not touch the driver.
        type: bool
        default: false
      packages:
        description: Names of the packages, or V(name=version) for those beside the driver.
        type: list
        elements: str
        default: []
      header_packages:
        description: Packages with the headers of the kernels to build for.
        type: list
        elements: str
        default: []
      remove:
        description: Packages that go with it, V(*) stands for anything.
        type: list
        elements: str
        default: []
      version:
        description: The exact upstream version of the driver.
        type: str
      branch:
        description: The branch of the driver.
        type: str
      kernels:
        description: Releases of the kernels to build for.
        type: list
        elements: str
        default: []
      upgrade:
        description: Whether the newest versions are taken.
        type: bool
        default: false
      kernel_change_ok:
        description: Whether the driver's transaction may bring a kernel image.
        type: bool
        default: false
      driver_libraries_ok:
        description: Whether a transaction beside the driver may bring the driver's libraries.
        type: bool
        default: false
      hold_also:
        description: Held packages that may change, V(*) stands for anything.
        type: list
        elements: str
        default: []
      after_driver:
        description:
          - Whether the driver's transaction comes first. What apt would do to the driver now is not told then.
        type: bool
        default: false
      sources:
        description:
          - Files that name repositories, with C(path) and C(content), which are written first.
            As long as one is not there, what the index lacks is no blocker.
        type: list
        elements: dict
        default: []
  index_max_age:
    description: Seconds after which the package index is too old to call a missing version a blocker.
    type: int
    default: 86400
  lock:
    description: Whether to look for locks of the package manager and interrupted runs.
    type: bool
    default: true
  lock_timeout:
    description: Seconds that the roles wait for a lock. With V(0) a lock is a blocker.
    type: int
    default: 300
  space:
    description: How much room is needed where. What lies on one file system adds up.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The folder that is written to.
        type: path
        required: true
      mib:
        description: MiB that are needed there.
        type: int
        required: true
      reason:
        description: What for.
        type: str
        required: true
      of:
        description: Name of the transaction that writes there; its real size, where known, replaces O(space[].mib).
        type: str
      part:
        description: Which size of the transaction that is.
        type: str
        choices: [installed, download]
      copy_of:
        description: Files, of which the largest is written once more; its size is added.
        type: list
        elements: path
        default: []
  space_margin_mib:
    description: MiB that must stay free on each file system.
    type: int
    default: 64
  holders:
    description: Whether to look for programs that hold the GPUs, and how grave that is.
    type: str
    choices: [ignored, note, warning, error]
    default: ignored
  signing:
    description: Whether to look at the key that signs kernel modules. Of use where Secure Boot is enabled.
    type: bool
    default: false
  signing_certificates:
    description: Where the certificate is (DER); the first that exists counts.
    type: list
    elements: path
    default: [/var/lib/dkms/mok.pub, /var/lib/shim-signed/mok/MOK.der]
  iommu:
    description: Whether the kernel must have IOMMU groups.
    type: bool
    default: false
  clock:
    description: Whether the clock must be synchronised.
    type: bool
    default: false
  manager:
    description: The package manager. V(auto) takes the one that is there.
    type: str
    choices: [auto, apt, dnf, zypper, pacman]
    default: auto
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: linux
notes:
  - While apt simulates a transaction with pinned versions, a file with the pins lies in C(/run). It is removed at once.
seealso:
  - plugin: gpufleet.nvidia.preflight_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Is there room for a driver, and is the package manager free?
  gpufleet.nvidia.preflight:
    space:
      - {path: /var, mib: 1200, reason: building kernel modules}
      - {path: /boot, mib: 16, reason: a new initramfs, copy_of: [/boot/initrd.img-6.1.0-47-amd64]}
  register: host

- name: Refuse all of it together
  ansible.builtin.assert:
    that: host.findings | selectattr('severity', 'eq', 'error') | length == 0
    fail_msg: "{{ host.findings | map(attribute='text') | list }}"

- name: What would apt do for this version of NCCL?
  gpufleet.nvidia.preflight:
    transactions:
      - name: nccl
        packages: [libnccl2=2.23.4-1+cuda12.6]
"""

RETURN = r"""
findings:
  description: What a person must know, errors first.
  returned: success
  type: list
  elements: dict
  contains:
    severity:
      description: V(error), V(warning) or V(note).
      type: str
      returned: always
    code:
      description: A stable name.
      type: str
      returned: always
    text:
      description: What, why, and what to do next.
      type: str
      returned: always
    source:
      description: What the check looked at.
      type: str
      returned: always
observations:
  description:
    - What was measured. C(space) has C(mount), C(free_mib) and C(needed_mib); C(transactions) has C(installed_mib) and
      C(download_mib) by name; C(manager) is the package manager.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._preflight import ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "transactions": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "driver": {"type": "bool", "default": False},
            "packages": {"type": "list", "elements": "str", "default": []},
            "header_packages": {"type": "list", "elements": "str", "default": []},
            "remove": {"type": "list", "elements": "str", "default": []},
            "version": {"type": "str"},
            "branch": {"type": "str"},
            "kernels": {"type": "list", "elements": "str", "default": []},
            "upgrade": {"type": "bool", "default": False},
            "kernel_change_ok": {"type": "bool", "default": False},
            "driver_libraries_ok": {"type": "bool", "default": False},
            "hold_also": {"type": "list", "elements": "str", "default": []},
            "after_driver": {"type": "bool", "default": False},
            "sources": {"type": "list", "elements": "dict", "default": []},
        },
    },
    "index_max_age": {"type": "int", "default": 86400},
    "lock": {"type": "bool", "default": True},
    "lock_timeout": {"type": "int", "default": 300},
    "space": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "path", "required": True},
            "mib": {"type": "int", "required": True},
            "reason": {"type": "str", "required": True},
            "of": {"type": "str"},
            "part": {"type": "str", "choices": ["installed", "download"]},
            "copy_of": {"type": "list", "elements": "path", "default": []},
        },
    },
    "space_margin_mib": {"type": "int", "default": 64},
    "holders": {"type": "str", "choices": ["ignored", "note", "warning", "error"], "default": "ignored"},
    "signing": {"type": "bool", "default": False},
    "signing_certificates": {
        "type": "list",
        "elements": "path",
        "default": ["/var/lib/dkms/mok.pub", "/var/lib/shim-signed/mok/MOK.der"],
    },
    "iommu": {"type": "bool", "default": False},
    "clock": {"type": "bool", "default": False},
    "manager": {"type": "str", "choices": ["auto", "apt", "dnf", "zypper", "pacman"], "default": "auto"},
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
