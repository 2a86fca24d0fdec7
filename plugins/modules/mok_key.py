#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private key and the certificate that kernel modules are signed with."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mok_key
short_description: The key pair that signs kernel modules for Secure Boot
version_added: 0.1.0
description:
  - Keeps a private key and its certificate on the host for signing kernel modules, made there or delivered (one pair
    for the whole site, enrolled in its golden image). A pair that is there already, such as DKMS's own, is checked and
    left.
  - The certificate is what the kernel and shim want of one for modules, which is C(CA:FALSE), C(digitalSignature),
    C(codeSigning), and the purpose of kernel modules, so that shim boots nothing that this key has signed.
  - A pair in use is never overwritten. A new pair waits beside the old one as its successor (C(signing.next.key),
    C(signing.next.der)) until its certificate is enrolled; a later run of this module then puts it in the old one's
    place. So what is built in between is still signed with the key that the firmware trusts. Where the kernel asks for
    no signatures, or does not trust the old pair either, the successor takes its place at once.
  - The old pair is kept in C(/var/lib/gpufleet/mok/retired). Its private key is removed when no installed NVIDIA module
    is signed with it any more, its certificate when the key is not in shim's list any more (RV(revoke)).
  - C(community.crypto) makes keys and certificates as well, with Python's cryptography on the host; it knows no pair
    that is replaced as a whole, and nothing of what the firmware trusts or what is signed with the old key.
options:
  state:
    description:
      - Whether the pair is to be there. V(absent) refuses as long as an installed NVIDIA module is signed with it.
    type: str
    choices: [present, absent]
    default: present
  private_key:
    description: Path on the host of the private key, PEM without a passphrase. It is kept at mode 0600.
    type: str
    default: /var/lib/gpufleet/mok/signing.key
  certificate:
    description: Path on the host of the certificate. What is written is DER.
    type: str
    default: /var/lib/gpufleet/mok/signing.der
  private_key_content:
    description: The private key to deliver, in PEM, from a vault. It comes with O(certificate_content).
    type: str
  certificate_content:
    description: The certificate to deliver, in PEM, or DER in base64.
    type: str
  common_name:
    description: Name in a certificate that is made. Without it the host's name and C(kernel module signing key).
    type: str
  days:
    description: For how many days a certificate that is made is valid. The kernel does not ask, people and tools do.
    type: int
    default: 3650
  bits:
    description: Size of an RSA key that is made.
    type: int
    choices: [2048, 3072, 4096]
    default: 2048
  modules_only:
    description: V(false) leaves out the purpose of kernel modules, so that shim boots what this key has signed, too.
    type: bool
    default: true
  rotate:
    description:
      - Have a new pair made, now. Meant for one run (C(-e)); as long as a successor waits it makes no other one.
    type: bool
    default: false
  rotate_before:
    description: Have a new pair made where the present one was made before this day, for instance V(2026-11-21).
    type: str
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: It shows fingerprints of certificates, and never anything of a private key.
  platform:
    platforms: linux
requirements:
  - openssl (1.1.1 or newer) on the host
seealso:
  - module: gpufleet.nvidia.mok
  - module: gpufleet.nvidia.module_signature
"""

EXAMPLES = r"""
- name: A key pair of this host's own
  gpufleet.nvidia.mok_key:
  register: signing

- name: Have DKMS sign with it
  gpufleet.nvidia.managed_files:
    files: ["{{ signing.dkms }}"]

- name: Have it enrolled
  gpufleet.nvidia.mok:
    certificate: "{{ item }}"
    password: "{{ mok_password }}"
  loop: "{{ signing.enrol }}"

- name: The site's key pair, from the vault
  gpufleet.nvidia.mok_key:
    private_key_content: "{{ vault_signing_key }}"
    certificate_content: "{{ vault_signing_certificate }}"

- name: Every pair that is older than the incident
  gpufleet.nvidia.mok_key:
    rotate_before: "2026-11-21"
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Make a key pair for signing kernel modules, /var/lib/gpufleet/mok/signing.key]
private_key:
  description: Path of the private key to sign with now.
  returned: success
  type: str
certificate:
  description: Path of its certificate.
  returned: success
  type: str
sha1:
  description: SHA-1 of the certificate in place, as are RV(sha256), RV(subject), RV(serial) and RV(not_after) its own.
  returned: success
  type: str
sha256:
  description: SHA-256 of the certificate.
  returned: success
  type: str
subject:
  description: Name in the certificate.
  returned: success
  type: str
serial:
  description: The certificate's serial number in hexadecimal digits, which names the key in a module's signature.
  returned: success
  type: str
not_after:
  description: When the certificate ends.
  returned: success
  type: str
  sample: "2036-11-18T10:00:00Z"
successor:
  description: The pair that waits for its enrolment, with C(certificate) (its path), C(sha1) and C(subject), or null.
  returned: success
  type: dict
enrol:
  description: Paths of certificates that the firmware does not know yet, for M(gpufleet.nvidia.mok).
  returned: success
  type: list
  elements: str
revoke:
  description:
    - Paths of old certificates that have signed no installed module any more and are still in shim's list, for
      M(gpufleet.nvidia.mok) with C(state=absent).
  returned: success
  type: list
  elements: str
retired:
  description:
    - Old pairs with C(name), C(sha1), C(subject), C(certificate) (its path), C(key) (whether the private key is still
      kept) and C(signs) (paths of the modules that they have signed).
  returned: success
  type: list
  elements: dict
dkms:
  description:
    - The file, with C(path) and C(content), that has DKMS sign with this pair, as M(gpufleet.nvidia.managed_files)
      takes it.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_key
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "private_key": {"type": "str", "default": "/var/lib/gpufleet/mok/signing.key", "no_log": False},
    "certificate": {"type": "str", "default": "/var/lib/gpufleet/mok/signing.der"},
    "private_key_content": {"type": "str", "no_log": True},
    "certificate_content": {"type": "str"},
    "common_name": {"type": "str"},
    "days": {"type": "int", "default": 3650},
    "bits": {"type": "int", "choices": [2048, 3072, 4096], "default": 2048},
    "modules_only": {"type": "bool", "default": True},
    "rotate": {"type": "bool", "default": False},
    "rotate_before": {"type": "str"},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _mok_key.ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
