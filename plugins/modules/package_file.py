#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One package from a file, with its dependencies from the repositories, and nothing removed for it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: package_file
short_description: A package from a file, with its dependencies, removing nothing
version_added: 0.1.0
description:
  - Installs a C(.deb) or C(.rpm) file as C(apt install ./file.deb) does, with what it needs from the repositories.
    NVIDIA's driver for vGPU guests comes so.
  - The file is refused before anything of it is run when its checksum, name, version or architecture is another one.
  - The package manager is asked first what it would do. The file is refused when anything would be removed, or another
    driver, a kernel or a held package would be touched.
  - The version is known from the file's name, so that a second run transfers, downloads and runs nothing.
  - When apt fails half way, what came along goes again, and the version that was there is put back from its kept file.
options:
  state:
    description:
      - Whether the package is to be there. V(absent) purges it with what only it needed, but O(keep).
    type: str
    choices: [present, absent]
    default: present
  src:
    description:
      - The file. An address is fetched by the host. A path is one on the controller, looked up like the files of a
        role, or with O(remote_src) on the host.
    type: str
  remote_src:
    description: O(src) is a path on the host.
    type: bool
    default: false
  sha256:
    description: SHA-256 of the file, with C(sha256:) before it or not. Needed for O(state=present).
    type: str
  name:
    description:
      - Name of the package, where the file's name does not tell it.
      - For O(state=absent) V(*) stands for anything.
    type: str
  version:
    description: Version of the package, where the file's name does not tell it.
    type: str
  replaces:
    description: Installed packages that may go for it, such as those of another branch. V(*) stands for anything.
    type: list
    elements: str
    default: []
  keep:
    description: Packages that stay when the package goes, though only it needed them.
    type: list
    elements: str
    default: []
  kernels:
    description:
      - Releases of the kernels that DKMS must have installed the package's modules for, where its sources are there and
        the kernel's headers. A package that is there already gets back what DKMS has lost of it.
    type: list
    elements: str
    default: []
  hold:
    description: Hold the package (apt), or lock its version (dnf, zypper).
    type: bool
    default: false
  keep_file:
    description:
      - Keep a fetched file in C(/var/lib/gpufleet/packages), so that it can be put back when a later one fails.
    type: bool
    default: true
  refresh:
    description: V(auto) fetches the package index anew when the dependencies cannot be found.
    type: str
    choices: [auto, never]
    default: auto
  lock_timeout:
    description: Seconds to wait for a lock of the package manager that another process holds.
    type: int
    default: 300
  timeout:
    description: Seconds that the download, and the installation, may take each.
    type: int
    default: 3600
  manager:
    description: The package manager. V(auto) takes the one that is there.
    type: str
    choices: [auto, apt, dnf, zypper]
    default: auto
  transferred:
    description: Where the action plugin has put the controller's file on the host. Not for playbooks.
    type: str
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
    details: A file on the host is examined; one that would have to be fetched first is not.
  diff_mode:
    support: full
  platform:
    platforms: linux
seealso:
  - module: gpufleet.nvidia.runfile
  - module: gpufleet.nvidia.guarded_packages
"""

EXAMPLES = r"""
- name: The guest driver, from the controller
  gpufleet.nvidia.package_file:
    src: nvidia-linux-grid-535_535.261.03_amd64.deb
    sha256: "{{ grid_sha256 }}"
    replaces: ["nvidia-linux-grid-*"]
    hold: true

- name: The guest driver, from a share that the host has mounted
  gpufleet.nvidia.package_file:
    src: /mnt/Shared/nv/nvidia-linux-grid-535_535.261.03_amd64.deb
    remote_src: true
    sha256: "{{ grid_sha256 }}"
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Install nvidia-linux-grid-535 535.261.03 with dkms, Hold nvidia-linux-grid-535]
name:
  description: Name of the package, or null for O(state=absent).
  returned: success
  type: str
  sample: nvidia-linux-grid-535
version:
  description: The version that is installed afterwards, or null.
  returned: success
  type: str
  sample: 535.261.03
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _package_file
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "src": {"type": "str"},
    "remote_src": {"type": "bool", "default": False},
    "sha256": {"type": "str"},
    "name": {"type": "str"},
    "version": {"type": "str"},
    "replaces": {"type": "list", "elements": "str", "default": []},
    "keep": {"type": "list", "elements": "str", "default": []},
    "kernels": {"type": "list", "elements": "str", "default": []},
    "hold": {"type": "bool", "default": False},
    "keep_file": {"type": "bool", "default": True},
    "refresh": {"type": "str", "choices": ["auto", "never"], "default": "auto"},
    "lock_timeout": {"type": "int", "default": 300},
    "timeout": {"type": "int", "default": 3600},
    "manager": {"type": "str", "choices": ["auto", "apt", "dnf", "zypper"], "default": "auto"},
    "transferred": {"type": "str"},
}
PATIENCE = 60  # seconds without a single byte
PIECE = 1024 * 1024


def fetch(address, path, timeout, clock=time.monotonic):
    """Downloads a file for root alone.

    :raises NvidiaError: with the address without its query and its user, which may be secret
    """
    shown = address.split("?")[0]
    shown = shown.rpartition("@")[2] if "@" in shown else shown
    end = clock() + timeout
    try:
        with open_url(address, timeout=PATIENCE, http_agent="gpufleet.nvidia") as answer, open(path, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            piece = answer.read(PIECE)
            while piece:
                if clock() > end:
                    raise NvidiaError(f"{shown} was not downloaded within {timeout} s. Set timeout to more seconds.")
                file.write(piece)
                piece = answer.read(PIECE)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", None) or getattr(exc, "strerror", None) or exc
        raise NvidiaError(f"{shown} cannot be downloaded: {reason}. Nothing was changed.") from exc


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _package_file.ensure(module.params, ModuleSystem(module), fetch, apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
