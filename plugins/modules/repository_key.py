# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the public key of a package repository in place, once its fingerprint has been checked."""

from __future__ import annotations

DOCUMENTATION = r"""
module: repository_key
short_description: The public key of a package repository, with the fingerprint that was named
version_added: 0.1.0
description:
  - Keeps a file with the OpenPGP key that signs a package repository, for the option C(Signed-By) of its entry.
  - A key with another fingerprint is never written. The fingerprint is computed from the key itself, so that the host
    needs no C(gpg).
  - A file that holds the right key already is left alone, and nothing is fetched.
options:
  state:
    description: Whether the file is to be there.
    type: str
    choices: [present, absent]
    default: present
  path:
    description: The file, whose name ends in C(.asc).
    type: str
    required: true
  url:
    description: Where the key is fetched from, in ASCII armour. It may be a C(file:) address on the host.
    type: str
  content:
    description: The key itself, in ASCII armour, instead of O(url).
    type: str
  fingerprint:
    description: The fingerprint of the primary key, 40 digits. Needed with O(state=present).
    type: str
  timeout:
    description: Seconds that fetching may take.
    type: int
    default: 60
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
    details: In check mode nothing is fetched, so that a wrong key shows only when it is written.
  diff_mode:
    support: full
  platform:
    platforms: linux
seealso:
  - module: gpufleet.nvidia.managed_files
"""

EXAMPLES = r"""
- name: Trust this key, and no other one
  gpufleet.nvidia.repository_key:
    path: /etc/apt/keyrings/example.asc
    url: https://packages.example.org/key.asc
    fingerprint: EB693B3035CD5710E231E123A4B469963BF863CC
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode.
  returned: success
  type: list
  elements: str
  sample: [Put the key EB693B3035CD5710E231E123A4B469963BF863CC into /etc/apt/keyrings/example.asc]
fingerprint:
  description: The fingerprint of the key in the file. V(null) with O(state=absent).
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _repository_key
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "path": {"type": "str", "required": True},
    "url": {"type": "str"},
    "content": {"type": "str"},
    "fingerprint": {"type": "str"},
    "timeout": {"type": "int", "default": 60},
}
LIMIT = 1 << 20  # bytes; a key has some thousand


def fetcher(timeout):
    """A function that gives the text at an address."""

    def fetch(url):
        try:
            return open_url(url, timeout=timeout).read(LIMIT).decode("utf-8", "replace")
        except (OSError, ValueError) as exc:
            raise NvidiaError(
                f"The repository's key could not be fetched from {url}: {exc}. Check the address."
            ) from exc

    return fetch


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        fetch = fetcher(module.params["timeout"])
        result = _repository_key.ensure(module.params, ModuleSystem(module), fetch, apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
