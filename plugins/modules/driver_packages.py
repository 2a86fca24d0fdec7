#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs, holds and removes the whole closure of an NVIDIA driver's packages."""

from __future__ import annotations

DOCUMENTATION = r"""
module: driver_packages
short_description: The whole closure of an NVIDIA driver's packages, held at one version
version_added: 0.1.0
description:
  - Installs the packages of an NVIDIA driver, holds everything that belongs to it, and has DKMS build the kernel
    modules for the kernels that are named.
  - It never upgrades by accident. Installed packages stay at their version unless O(version) or O(upgrade) says
    otherwise, even if the repository has a newer one.
  - The transaction is simulated first. It is refused when it would remove packages that are not the driver's or
    bring a new kernel.
  - When the transaction or a build fails, the message holds the decisive lines of the log, and the packages,
    versions and holds are put back to what they were.
  - A second run with the same options runs one command, asks no repository and changes nothing.
options:
  state:
    description: Whether the driver is to be there. V(absent) purges its whole closure, whatever its versions and holds.
    type: str
    choices: [present, absent]
    default: present
  packages:
    description: Names of the packages to ask for. Their dependencies follow.
    type: list
    elements: str
    default: []
  header_packages:
    description: Packages with the headers of the kernels to build for. They are neither held nor removed.
    type: list
    elements: str
    default: []
  remove:
    description:
      - Packages that must go, V(*) stands for anything. These are the other flavour's or another branch's packages
        for O(state=present), and for O(state=absent) those outside of the driver that may go with it.
    type: list
    elements: str
    default: []
  version:
    description: Exact upstream version, such as V(535.261.03), for everything in the driver that carries its version.
    type: str
  branch:
    description:
      - The driver branch, such as V(580), for everything in the driver that carries its version, where several branches
        have packages of the same names. An installed driver of that branch stays at its version.
    type: int
  kernels:
    description:
      - Releases of the kernels that DKMS must have built the modules for. An empty list means the running kernel,
        or in an image or container, where the running kernel is another machine's, every installed one.
    type: list
    elements: str
    default: []
  hold:
    description: Whether all of the driver's packages are on hold. V(false) releases them.
    type: bool
    default: true
  upgrade:
    description: Take the newest version that the repositories have.
    type: bool
    default: false
  allow_kernel_change:
    description: Accept a transaction that installs or upgrades a kernel image.
    type: bool
    default: false
  remove_runfile:
    description: Uninstall a driver that NVIDIA's runfile brought, instead of refusing to install over it.
    type: bool
    default: false
  refresh:
    description:
      - When the package index is fetched anew. V(auto) does so only when something is to be installed that the
        index does not know, or for an upgrade when the index is more than an hour old.
    type: str
    choices: [auto, always, never]
    default: auto
  repository_changed:
    description:
      - A repository was added or changed in this run, or would have been in check mode. The index is refreshed, and
        in check mode packages that are not known yet are predicted by their names.
    type: bool
    default: false
    aliases: [index_pending]
  lock_timeout:
    description: Seconds to wait for a lock of the package manager that another process holds.
    type: int
    default: 300
  timeout:
    description: Seconds that one transaction, or the build for one kernel, may take.
    type: int
    default: 3600
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
    support: full
  platform:
    platforms: linux
seealso:
  - module: gpufleet.nvidia.driver_modules
  - module: gpufleet.nvidia.initramfs
"""

EXAMPLES = r"""
- name: The proprietary driver of Debian, without graphics
  gpufleet.nvidia.driver_packages:
    packages: [nvidia-kernel-dkms, nvidia-smi, libcuda1, nvidia-persistenced]
    header_packages: [linux-headers-amd64]

- name: Exactly this version, with everything that must move with it
  gpufleet.nvidia.driver_packages:
    packages: [nvidia-kernel-dkms, nvidia-smi]
    version: 535.261.03

- name: No driver any more
  gpufleet.nvidia.driver_packages:
    state: absent
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Build the 535.261.03 kernel modules for 6.1.0-50-amd64]
packages:
  description: The driver's packages and their versions afterwards.
  returned: success
  type: dict
  sample: {nvidia-smi: 535.261.03-1}
built:
  description: The kernel modules that were built in this run.
  returned: success
  type: list
  elements: dict
  sample: [{module: nvidia-current, version: 535.261.03, kernel: 6.1.0-50-amd64, seconds: 212.4}]
build_skipped:
  description: Why nothing is built by DKMS, or null.
  returned: success
  type: str
refreshed:
  description: Whether the package index was fetched anew.
  returned: success
  type: bool
reboot_hint:
  description: Why the host needs its modules reloaded or a reboot, or null.
  returned: success
  type: str
  sample: The loaded module is 535.216.03, the installed driver 535.261.03; reload the modules or reboot.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "packages": {"type": "list", "elements": "str", "default": []},
    "header_packages": {"type": "list", "elements": "str", "default": []},
    "remove": {"type": "list", "elements": "str", "default": []},
    "version": {"type": "str"},
    "branch": {"type": "int"},
    "kernels": {"type": "list", "elements": "str", "default": []},
    "hold": {"type": "bool", "default": True},
    "upgrade": {"type": "bool", "default": False},
    "allow_kernel_change": {"type": "bool", "default": False},
    "remove_runfile": {"type": "bool", "default": False},
    "refresh": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
    "repository_changed": {"type": "bool", "default": False, "aliases": ["index_pending"]},
    "lock_timeout": {"type": "int", "default": 300},
    "timeout": {"type": "int", "default": 3600},
    "manager": {"type": "str", "choices": ["auto", "apt", "dnf", "zypper", "pacman"], "default": "auto"},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _packages.ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
