#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps on the host what a role manages there and how it left it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: convergence_record
short_description: Remembers what a role left on a host
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Looks at the files, packages, units and facts that a role manages, as they are now, and keeps that on the host with
    digests of what the role was given. The record is root's alone and holds no content of a file.
  - M(gpufleet.nvidia.gpu_facts) compares the records with the host and names each difference; a role whose record
    matches has nothing to do.
  - Nothing is written when the record would say the same but for its time.
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
options:
  role:
    description: The role that has come to its end.
    type: str
    required: true
  state:
    description: Whether the record is to be there.
    type: str
    choices: [present, absent]
    default: present
  inputs:
    description: Digest of what the role was given, as P(gpufleet.nvidia.role_inputs#lookup) makes it.
    type: str
  collection:
    description: Version and digest of the collection, as P(gpufleet.nvidia.collection_digest#lookup) makes it.
    type: str
  files:
    description:
      - Absolute paths of files, folders and links that the role manages, also of those that it keeps away.
      - Of a file its SHA-256, mode and owner are kept, of a link its target, of a folder its mode and owner.
    type: list
    elements: str
    default: []
  packages:
    description:
      - Names of packages; V(name:architecture) where it is another one than the machine's. Version and hold are kept.
    type: list
    elements: str
    default: []
  units:
    description:
      - Full names of systemd's units, such as V(nvidia-persistenced.service). Enablement and activity are kept.
    type: list
    elements: str
    default: []
  facts:
    description:
      - Dotted paths into what M(gpufleet.nvidia.gpu_facts) returns, such as V(driver.loaded.version). V(*) goes over
        the elements of a list or of a dictionary, as in V(pci.*.device).
      - What changes by itself, such as a temperature or a process, does not belong here.
    type: list
    elements: str
    default: []
  path:
    description: The folder of the records.
    type: path
    default: /var/lib/gpufleet/records
  timeout:
    description: Seconds that NVML may take, where a fact needs it.
    type: int
    default: 60
seealso:
  - module: gpufleet.nvidia.gpu_facts
  - plugin: gpufleet.nvidia.converged
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Remember what the role of the persistence daemon left
  gpufleet.nvidia.convergence_record:
    role: persistenced
    inputs: "{{ lookup('gpufleet.nvidia.role_inputs') }}"
    collection: "{{ lookup('gpufleet.nvidia.collection_digest') }}"
    files: [/etc/systemd/system/nvidia-persistenced.service.d/50-gpufleet.conf]
    packages: [nvidia-persistenced]
    units: [nvidia-persistenced.service]
    facts: [persistence.mode]
"""

RETURN = r"""
path:
  description: The file of the record.
  returned: success
  type: str
  sample: /var/lib/gpufleet/records/persistenced.json
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _record
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "role": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "inputs": {"type": "str"},
    "collection": {"type": "str"},
    "files": {"type": "list", "elements": "str", "default": []},
    "packages": {"type": "list", "elements": "str", "default": []},
    "units": {"type": "list", "elements": "str", "default": []},
    "facts": {"type": "list", "elements": "str", "default": []},
    "path": {"type": "path", "default": "/var/lib/gpufleet/records"},
    "timeout": {"type": "int", "default": 60},
}


def main():
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _record.ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
