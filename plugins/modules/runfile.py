#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs and removes what NVIDIA's .run files hold: a driver, a vGPU manager, a GRID driver, a CUDA toolkit."""

from __future__ import annotations

DOCUMENTATION = r"""
module: runfile
short_description: NVIDIA's .run files for a driver, a vGPU manager, a GRID driver or a CUDA toolkit
version_added: 0.1.0
description:
  - Installs and removes what a C(.run) file of NVIDIA's holds, without questions, and only when it is not there yet.
  - The version is known from O(version) or from the name that NVIDIA gave the file, so that a second run downloads,
    transfers and runs nothing. A file on the host tells its version in its first lines, too.
  - A wrong file is refused before anything of it is executed. Its checksum comes first, then what it says of itself
    (kind, version, architecture), then its own C(--check), then the room on the disk.
  - A driver is never installed over a driver from packages, and a CUDA file's driver is never installed.
  - When the installer fails, the message holds the decisive lines of its own log, and what was there works again. The
    driver's installer removes the old driver before it installs the new one; its file is kept on the host, so that the
    old driver can be installed again (O(keep_file)). A toolkit that is replaced is moved aside until the new one is
    there, and a half toolkit is removed.
  - The link C(/usr/local/cuda) is left as it was.
options:
  kind:
    description:
      - What the file holds. V(driver) is NVIDIA's usual driver, V(vgpu_manager) the one of a host for virtual GPUs
        (C(-vgpu-kvm)), V(grid) the one inside of a virtual machine with a virtual GPU (C(-grid)), V(cuda) the CUDA
        toolkit.
    type: str
    choices: [driver, vgpu_manager, grid, cuda]
    required: true
  state:
    description:
      - Whether it is to be there. V(absent) runs NVIDIA's own uninstaller, and does nothing when another kind or
        version is installed than is named.
    type: str
    choices: [present, absent]
    default: present
  src:
    description:
      - The file. An address (C(https), C(http), C(file)) is fetched by the host. A path is one on the controller,
        looked up like the files of a role, or with O(remote_src) on the host.
      - Required for O(state=present).
    type: str
  remote_src:
    description: O(src) is a path on the host.
    type: bool
    default: false
  sha256:
    description:
      - SHA-256 of the file, with C(sha256:) before it or not. The file is run as root, so it is required for
        O(state=present).
    type: str
  version:
    description:
      - Version of the driver (V(580.159.04)) or of CUDA (V(12.6.3), or V(12.6) for any update of it). Needed only
        where the file's name does not tell it.
    type: str
  toolkit_path:
    description: Folder of the CUDA toolkit. Without it C(/usr/local/cuda-X.Y).
    type: str
  module_type:
    description: Flavour of the kernel modules. Without it the installer chooses by the cards that are there.
    type: str
    choices: [open, proprietary]
  dkms:
    description:
      - Whether the kernel modules are registered with DKMS, so that they are built anew for new kernels. Without it the
        installer does so where DKMS is there.
      - With V(true), a registration that DKMS has lost comes back, and modules that are not as DKMS has built them are
        replaced. Where the sources in C(/usr/src) are gone, the file is installed again.
    type: bool
  kernels:
    description:
      - Releases of the kernels to have modules for. An empty list means the running kernel, or in an image or
        container, where the running kernel is another machine's, every installed one.
    type: list
    elements: str
    default: []
  kernel_source_path:
    description: Folder with the kernel's headers, where they are not in C(/lib/modules/RELEASE/build).
    type: str
  signing_key:
    description: Path on the host of the private key to sign the modules with. Only the path is handed on.
    type: str
  signing_certificate:
    description: Path on the host of the certificate (DER) of O(signing_key).
    type: str
  disable_nouveau:
    description: Let the installer write modprobe files that keep nouveau from loading. It still wants a reboot then.
    type: bool
    default: false
  nouveau_check:
    description: V(false) installs although nouveau has the cards.
    type: bool
    default: true
  x_check:
    description: V(false) installs although an X server runs.
    type: bool
    default: true
  opengl:
    description: V(false) leaves the graphics libraries out, as headless servers want it.
    type: bool
    default: true
  load_modules:
    description:
      - V(false) does not load the modules after the build, for images and before a key is enrolled. Since driver 550.
    type: bool
    default: true
  allow_running_driver:
    description: Install although the loaded driver is in use. The host needs a reboot then. Since driver 545.
    type: bool
    default: false
  packages_removed:
    description:
      - A task before this one has removed the packages that brought a driver, or would have in check mode. There they
        do not count then.
    type: bool
    default: false
  compiler_check:
    description: V(false) installs CUDA although it does not support the host's compiler.
    type: bool
    default: true
  tmpdir:
    description: Folder on the host to unpack in. It needs some three times the size of the file.
    type: str
    default: /var/tmp
  keep_file:
    description:
      - Keep the driver's file in C(/var/lib/gpufleet/runfiles), so that this driver can be put back when a later one
        fails. One file is kept; CUDA's are not. A file that was fetched for an installation that failed stays, too.
    type: bool
    default: true
  timeout:
    description: Seconds that the download, and the installation, may take each.
    type: int
    default: 3600
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
  - module: gpufleet.nvidia.driver_packages
  - module: gpufleet.nvidia.driver_modules
"""

EXAMPLES = r"""
- name: CUDA 12.6.3 beside a GRID driver
  gpufleet.nvidia.runfile:
    kind: cuda
    src: https://files.example.com/nvidia/cuda_12.6.3_560.35.05_linux.run
    sha256: "{{ cuda_sha256 }}"

- name: A GRID driver from the controller, with DKMS
  gpufleet.nvidia.runfile:
    kind: grid
    src: NVIDIA-Linux-x86_64-535.261.03-grid.run
    sha256: "{{ grid_sha256 }}"
    dkms: true

- name: The open driver, signed with the site's key
  gpufleet.nvidia.runfile:
    kind: driver
    src: /srv/nvidia/NVIDIA-Linux-x86_64-580.159.04.run
    remote_src: true
    sha256: "{{ driver_sha256 }}"
    module_type: open
    signing_key: /var/lib/dkms/mok.key
    signing_certificate: /var/lib/dkms/mok.pub

- name: No CUDA 11.8 any more
  gpufleet.nvidia.runfile:
    kind: cuda
    version: "11.8"
    state: absent
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Download cuda_12.6.3_560.35.05_linux.run, Install CUDA 12.6.3 in /usr/local/cuda-12.6]
kind:
  description: What this is about.
  returned: success
  type: str
  sample: cuda
version:
  description: The version that is installed afterwards, or null.
  returned: success
  type: str
  sample: 12.6.3
path:
  description: Folder of the toolkit, or null for a driver.
  returned: success
  type: str
  sample: /usr/local/cuda-12.6
log:
  description: The installer's log, or null when nothing was to be done.
  returned: success
  type: str
  sample: /var/log/cuda-installer.log
reboot_hint:
  description: Why the host needs its modules reloaded or a reboot, or null.
  returned: success
  type: str
  sample: The loaded module is 535.216.03, the installed driver 535.261.03; reload the modules or reboot.
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "kind": {"type": "str", "choices": ["driver", "vgpu_manager", "grid", "cuda"], "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "src": {"type": "str"},
    "remote_src": {"type": "bool", "default": False},
    "sha256": {"type": "str"},
    "version": {"type": "str"},
    "toolkit_path": {"type": "str"},
    "module_type": {"type": "str", "choices": ["open", "proprietary"]},
    "dkms": {"type": "bool"},
    "kernels": {"type": "list", "elements": "str", "default": []},
    "kernel_source_path": {"type": "str"},
    "signing_key": {"type": "str", "no_log": False},
    "signing_certificate": {"type": "str"},
    "disable_nouveau": {"type": "bool", "default": False},
    "nouveau_check": {"type": "bool", "default": True},
    "x_check": {"type": "bool", "default": True},
    "opengl": {"type": "bool", "default": True},
    "load_modules": {"type": "bool", "default": True},
    "allow_running_driver": {"type": "bool", "default": False},
    "packages_removed": {"type": "bool", "default": False},
    "compiler_check": {"type": "bool", "default": True},
    "tmpdir": {"type": "str", "default": "/var/tmp"},
    "keep_file": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 3600},
    "transferred": {"type": "str"},
}
PATIENCE = 60  # seconds without a single byte


def fetch(address, path, timeout, clock=time.monotonic):
    """Downloads a file; nothing of it stays when that fails.

    :raises NvidiaError: with the address without its query, which may hold a token
    """
    shown = address.split("?")[0].rpartition("@")[2] if "@" in address else address.split("?")[0]
    end = clock() + timeout
    try:
        with open_url(address, timeout=PATIENCE, http_agent="gpufleet.nvidia") as answer, open(path, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            while True:
                if clock() > end:
                    raise NvidiaError(f"{shown} was not downloaded within {timeout} s. Set timeout to more seconds.")
                if not _copied(answer, file):
                    return
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", None) or getattr(exc, "strerror", None) or exc
        raise NvidiaError(f"{shown} cannot be downloaded: {reason}. Nothing was changed.") from exc


def _copied(answer, file, length=1024 * 1024):
    """Copies the next piece; False at the end."""
    piece = answer.read(length)
    file.write(piece)
    return bool(piece)


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _runfile.ensure(module.params, ModuleSystem(module), fetch, apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
