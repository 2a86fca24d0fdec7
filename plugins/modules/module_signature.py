#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs NVIDIA's kernel modules."""

from __future__ import annotations

DOCUMENTATION = r"""
module: module_signature
short_description: NVIDIA's kernel modules, signed with a key
version_added: 0.1.0
description:
  - Signs the NVIDIA modules on the disk with a private key, by the kernel's own C(sign-file) or by C(kmodsign), with
    the digest that the kernel was built for. Compressed modules (C(.xz), C(.gz), C(.zst)) are unpacked, signed and
    packed again. A file is replaced in one step, and only after its new signature has been checked.
  - A module that is signed with this key already, and whose content matches its signature, is left alone.
  - The modules in use are not touched. For what is built later, give DKMS the same key
    (RV(gpufleet.nvidia.mok_key#module:dkms)).
options:
  private_key:
    description: Path on the host of the private key, PEM without a passphrase.
    type: str
    default: /var/lib/gpufleet/mok/signing.key
  certificate:
    description: Path on the host of its certificate.
    type: str
    default: /var/lib/gpufleet/mok/signing.der
  kernels:
    description: Releases of the kernels whose modules are meant. An empty list means every kernel that has some.
    type: list
    elements: str
    default: []
  replace:
    description:
      - What becomes of a signature by another key. V(auto) leaves one that the kernel trusts by itself, as a
        distribution's is, and one by an enrolled key as long as this key is not enrolled; it replaces others.
      - V(always) replaces every signature, V(never) none. Modules without a signature are signed in any case.
    type: str
    choices: [auto, always, never]
    default: auto
  timeout:
    description: Seconds that unpacking, signing or packing one module may take.
    type: int
    default: 300
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
requirements:
  - openssl, and the kernel's headers or kmodsign, on the host; zstd for modules that are compressed with it
notes:
  - Modules within an initramfs are copies; have it built anew (M(gpufleet.nvidia.initramfs)) where it holds the driver.
seealso:
  - module: gpufleet.nvidia.mok_key
  - module: gpufleet.nvidia.mok
  - module: gpufleet.nvidia.mok_facts
"""

EXAMPLES = r"""
- name: Sign what DKMS has built
  gpufleet.nvidia.module_signature:

- name: Sign the modules of one kernel with the site's key, whoever signed them before
  gpufleet.nvidia.module_signature:
    private_key: /etc/site/signing.key
    certificate: /etc/site/signing.der
    kernels: [6.12.94+deb13-amd64]
    replace: always
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Sign /lib/modules/6.12.94+deb13-amd64/updates/dkms/nvidia-current.ko.xz (it has no signature)]
signed:
  description: Paths of the modules that were signed, or would be.
  returned: success
  type: list
  elements: str
kernels:
  description: Releases of the kernels whose modules were signed, or would be.
  returned: success
  type: list
  elements: str
modules:
  description:
    - Each module with C(file), C(kernel), C(signer) and C(serial) (of the signature that was found), C(action)
      (V(sign), V(keep), or V(leave) for another key's signature that stays) and C(why).
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _module_signature
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "private_key": {"type": "str", "default": "/var/lib/gpufleet/mok/signing.key", "no_log": False},
    "certificate": {"type": "str", "default": "/var/lib/gpufleet/mok/signing.der"},
    "kernels": {"type": "list", "elements": "str", "default": []},
    "replace": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
    "timeout": {"type": "int", "default": 300},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _module_signature.ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
