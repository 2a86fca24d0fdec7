#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secure Boot's part of the facts, read to the end."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mok_facts
short_description: Finds out whether Secure Boot lets the NVIDIA driver load, and what to do where it does not
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Reads the firmware's variables, the kernel's keys, and the signature of each NVIDIA module of each installed kernel,
    and says in one state and one sentence where the host stands. Certificates and signatures are read from their bytes;
    C(mokutil) is not asked.
  - M(gpufleet.nvidia.gpu_facts) has the same at the same place (subset V(secure_boot)), with two short cuts. Where the
    kernel asks for no signature, keys are not read, and are null. The main module, up to a hundred megabytes and often
    compressed, is taken to be signed like C(nvidia-modeset), which comes from the same build (C(read_from) says so).
    This module takes none of them, which costs a second or so for each kernel with compressed modules.
  - Without root the kernel's keys, the requests and what waits for MokManager are hidden, and are null.
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: linux
options: {}
seealso:
  - module: gpufleet.nvidia.mok
  - module: gpufleet.nvidia.gpu_facts
"""

EXAMPLES = r"""
- name: Read how Secure Boot and the driver's modules get on
  gpufleet.nvidia.mok_facts:
  become: true

- name: Say it
  ansible.builtin.debug:
    msg: "{{ ansible_facts['nvidia'].mok.state }}: {{ ansible_facts['nvidia'].mok.next_step }}"

- name: Stop before a reboot after which the driver would not load
  ansible.builtin.assert:
    that: ansible_facts['nvidia'].mok.state in ['disabled', 'no_firmware_support', 'trusted', 'key_pending']
    fail_msg: "{{ ansible_facts['nvidia'].mok.next_step }}"
"""

RETURN = r"""
ansible_facts:
  description: What was read, below one key.
  returned: always
  type: dict
  contains:
    nvidia:
      description: As M(gpufleet.nvidia.gpu_facts) returns it, with the subsets system, kernel and secure_boot alone.
      type: dict
      returned: always
      contains:
        mok:
          description: Secure Boot, machine owner keys and the modules. Digits are small and without colons.
          type: dict
          returned: always
          contains:
            state:
              description:
                - V(disabled) and V(no_firmware_support), nobody asks for signatures; V(trusted), each module will load.
                - V(unsigned), a module has no signature; V(key_not_staged), its key is unknown and nobody asked for it;
                  V(key_pending), its enrolment waits for MokManager; V(key_dismissed), the enrolment was asked for
                  and is gone; V(no_module), signatures are asked for and no NVIDIA module lies on the disk.
                - Of the kernel that boots next, where it has modules, else of the running one. Null, it cannot be told.
              type: str
              returned: always
              sample: key_not_staged
            next_step:
              description: What to do, in a sentence or two.
              type: str
              returned: always
            firmware:
              description: V(uefi), V(bios) or V(unknown).
              type: str
              returned: always
            secure_boot:
              description: V(enabled), V(disabled), V(setup_mode), V(unsupported) or V(unknown), of the EFI variables.
              type: str
              returned: always
            validation:
              description: Whether shim validates what it boots. Null where shim did not boot this host.
              type: bool
              returned: always
            lockdown:
              description: V(none), V(integrity) or V(confidentiality). Null where the kernel does not tell.
              type: str
              returned: always
            enforced:
              description: Whether the running kernel loads modules only with a signature that it trusts.
              type: bool
              returned: always
            shim:
              description: Whether shim booted this host. Without it MokManager is never started.
              type: bool
              returned: always
            mokutil:
              description: Path of C(mokutil), null where it is not installed.
              type: str
              returned: always
            enrolled:
              description:
                - The certificates of shim's list (C(source) is V(mok), shim's built-in one is among them) and of the
                  firmware's (V(db)) with C(sha1), C(sha256), C(subject), C(common_name), C(issuer_name), C(serial),
                  C(not_before), C(not_after), C(ski) and C(is_ca).
              type: list
              elements: dict
              returned: always
            pending:
              description: The certificates that wait for MokManager, in C(enrol) and C(delete), of the same shape.
              type: dict
              returned: always
            timeout:
              description: Seconds that MokManager waits at the next boot, -1 for ever. Null, its own ten.
              type: int
              returned: always
            certificates:
              description: Those on the disk that DKMS and the distribution sign with, of the same shape, with C(path).
              type: list
              elements: dict
              returned: always
            keyrings:
              description:
                - The keys of the kernel with C(description) and C(id), in C(builtin), C(secondary), C(machine) and
                  C(platform).
              type: dict
              returned: always
            modules:
              description:
                - Each NVIDIA module of each installed kernel, where signatures are asked for, with C(kernel), C(name),
                  C(file), C(read_from), C(version), C(signed), C(signer), C(serial) or C(key_id), C(hash), C(trusted)
                  and C(trusted_by) (V(builtin), V(mok), V(db); V(pending) will be). What cannot be read is null.
              type: list
              elements: dict
              returned: always
            requests:
              description:
                - The requests to MokManager that this collection made and has not seen come true, with C(sha1),
                  C(serial), C(subject), C(action), C(boot_id) and C(time).
              type: list
              elements: dict
              returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._facts import probe
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC: dict = {}


def main():
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = probe(ModuleSystem(module), ["secure_boot"], whole=True)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
