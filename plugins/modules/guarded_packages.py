#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs packages beside the NVIDIA driver without ever touching the driver."""

from __future__ import annotations

DOCUMENTATION = r"""
module: guarded_packages
short_description: Packages beside the NVIDIA driver, never the driver itself
version_added: 0.1.0
description:
  - Installs, holds and removes packages that live beside the driver, such as the CUDA toolkit, cuDNN and NCCL.
  - The transaction is simulated first. It is refused when it would install, move or remove anything of the NVIDIA
    driver or a kernel, when it would change a package that somebody holds, or remove what nobody asked to remove.
  - Installed packages stay at their version unless O(packages) names another one or O(upgrade) says otherwise.
  - When the transaction fails, the packages, versions and holds are put back to what they were.
  - A second run with the same options runs one command, asks no repository and changes nothing.
options:
  state:
    description:
      - Whether the packages are to be there. V(absent) purges them, with what only they needed.
    type: str
    choices: [present, absent]
    default: present
  packages:
    description:
      - Names of packages, or V(name=version) for an exact version. The version may leave out the packaging revision.
      - With O(state=absent) V(*) stands for anything.
    type: list
    elements: str
    required: true
  companions:
    description: Packages to have beside them, such as a compiler. They are neither held nor removed.
    type: list
    elements: str
    default: []
  hold:
    description: Whether the packages are on hold. V(false) releases them; without it holds are left as they are.
    type: bool
  hold_also:
    description:
      - Installed packages that the hold is about as well; V(*) stands for anything.
      - Those and the packages asked for may change though they are held.
    type: list
    elements: str
    default: []
  upgrade:
    description: Take the newest version that the repositories have of each package without a version.
    type: bool
    default: false
  driver_libraries_ok:
    description:
      - Accept that libraries of the driver come along to a host that has no package of a driver, as a distribution's
        toolkit wants it. Kernel modules are still refused.
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
  lock_timeout:
    description: Seconds to wait for a lock of the package manager that another process holds.
    type: int
    default: 300
  timeout:
    description: Seconds that one transaction may take.
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
  - module: gpufleet.nvidia.driver_packages
"""

EXAMPLES = r"""
- name: NCCL for CUDA 12.6, held
  gpufleet.nvidia.guarded_packages:
    packages: [libnccl2=2.23.4-1+cuda12.6, libnccl-dev=2.23.4-1+cuda12.6]
    hold: true

- name: No CUDA 11.8 any more
  gpufleet.nvidia.guarded_packages:
    packages: [cuda-toolkit-11-8]
    state: absent
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Install libnccl2 2.23.4-1+cuda12.6, Hold libnccl2]
packages:
  description: The packages that this is about, and their versions afterwards.
  returned: success
  type: dict
  sample: {libnccl2: 2.23.4-1+cuda12.6}
refreshed:
  description: Whether the package index was fetched anew.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _guarded_packages
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "packages": {"type": "list", "elements": "str", "required": True},
    "companions": {"type": "list", "elements": "str", "default": []},
    "hold": {"type": "bool"},
    "hold_also": {"type": "list", "elements": "str", "default": []},
    "upgrade": {"type": "bool", "default": False},
    "driver_libraries_ok": {"type": "bool", "default": False},
    "refresh": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
    "repository_changed": {"type": "bool", "default": False},
    "lock_timeout": {"type": "int", "default": 300},
    "timeout": {"type": "int", "default": 3600},
    "manager": {"type": "str", "choices": ["auto", "apt", "dnf", "zypper", "pacman"], "default": "auto"},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _guarded_packages.ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
