#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks MokManager to enrol or remove a machine owner key, and withdraws such a request."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mok
short_description: A key among the machine owner keys (MOK), which Secure Boot trusts
version_added: 0.1.0
description:
  - Has a certificate enrolled in shim's list of keys, or removed from it. Only MokManager can do that, at the next boot
    and after somebody has typed a password at the console (M(gpufleet.nvidia.mok_console) can); this module stages the
    request, without a terminal.
  - It knows an enrolled key from one that waits. A request that was made and is gone without effect, because nobody
    confirmed it or somebody refused, is not made again unless O(restage=true) says so. To know that, the module keeps
    the requests that it has made or seen (no secrets) in C(/var/lib/gpufleet/mok/requests.json).
  - The password is hashed by C(openssl), which reads it from its standard input, and handed to C(mokutil) as a hash in
    a file that only root can read, in memory, for as long as C(mokutil) runs. What C(mokutil) did is then read from the
    firmware's variables, as its exit codes cannot be trusted.
  - What could not work is refused before anything is staged, with the reason. That is a host without EFI or shim, EFI
    variables that are not mounted, are read-only or have no room, a certificate that is expired, not valid yet, revoked
    or for another purpose, one that is no authority where the kernel counts authorities only, and a password that
    MokManager cannot take.
options:
  state:
    description:
      - V(enrolled) wants the key in the list (the firmware's own list C(db) will do), V(absent) does not.
      - V(cancelled) withdraws the waiting request for this key; without O(certificate) and O(content), every request.
    type: str
    choices: [enrolled, absent, cancelled]
    default: enrolled
  certificate:
    description: Path on the host of the certificate, in DER or PEM.
    type: str
  content:
    description: The certificate itself instead of O(certificate), in PEM, or DER in base64.
    type: str
  password:
    description:
      - The one-time password that MokManager asks for, 8 to 16 characters that a US keyboard has, no space.
      - It is needed when a request has to be staged. Where one waits already, and was made with another password, it is
        staged anew with this one. All keys that wait for the same thing have one password, the last one.
    type: str
  restage:
    description: Stage a request again that is gone without effect.
    type: bool
    default: false
  timeout:
    description:
      - Seconds that MokManager waits for somebody at the next boot. Without it, what is set is left as it is, which is
        usually MokManager's own 10.
      - V(-1) is for ever, so that the host does not come back from a reboot unless somebody is at its console.
    type: int
  check_authority:
    description: V(false) enrols a key although this kernel seems to count only those of authorities.
    type: bool
    default: true
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
  - mokutil and openssl (1.1.1 or newer) on the host, where a request is to be made
seealso:
  - module: gpufleet.nvidia.mok_console
  - module: gpufleet.nvidia.mok_facts
  - module: gpufleet.nvidia.mok_key
"""

EXAMPLES = r"""
- name: Ask for the enrolment of the host's signing key
  gpufleet.nvidia.mok:
    certificate: /var/lib/gpufleet/mok/signing.der
    password: "{{ mok_password }}"
    timeout: 300

- name: The site's key, from the controller
  gpufleet.nvidia.mok:
    content: "{{ lookup('ansible.builtin.file', 'site-signing.pem') }}"
    password: "{{ mok_password }}"

- name: Nobody was at the console, ask once more
  gpufleet.nvidia.mok:
    certificate: /var/lib/dkms/mok.pub
    password: "{{ mok_password }}"
    restage: true

- name: Think better of it
  gpufleet.nvidia.mok:
    certificate: /var/lib/dkms/mok.pub
    state: cancelled
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Ask MokManager to enrol the key at the next boot]
status:
  description: How the key stands afterwards. V(pending) and V(pending_removal) wait for MokManager.
  returned: success
  type: str
  choices: [enrolled, pending, pending_removal, absent]
source:
  description: Where the key is enrolled, V(mok) or V(db), or null.
  returned: success
  type: str
sha1:
  description: SHA-1 of the certificate, which MokManager shows as its fingerprint. Null without a certificate.
  returned: success
  type: str
  sample: 8a1793128a31322feed7088f0ffc0f6547605801
subject:
  description: Whose certificate it is. Null without a certificate.
  returned: success
  type: str
  sample: CN=gpu7 kernel module signing key
timeout:
  description: Seconds that MokManager waits at the next boot, -1 for ever. Null, its own 10.
  returned: success
  type: int
others:
  description: Subjects of other keys that wait for MokManager.
  returned: success
  type: list
  elements: str
reboot_required:
  description: Whether a request waits for the next boot.
  returned: success
  type: bool
next_step:
  description: What is to be done now, in a sentence or two.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_request
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["enrolled", "absent", "cancelled"], "default": "enrolled"},
    "certificate": {"type": "str"},
    "content": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "restage": {"type": "bool", "default": False},
    "timeout": {"type": "int"},
    "check_authority": {"type": "bool", "default": True},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _mok_request.ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
