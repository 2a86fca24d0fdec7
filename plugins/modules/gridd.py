#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets keys of gridd.conf, the configuration of a vGPU guest's licensing daemon."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gridd
short_description: Keys of gridd.conf, a vGPU guest's licensing configuration
version_added: 0.1.0
description:
  - Sets keys in place. Comments, the order and keys that nobody named stay as they are; a key that stands there in
    comments, as in NVIDIA's template, is set in that very line; a key that is set stands there once.
  - The file belongs to root and root's group, and nobody else may write it; all other rights stay as they are.
  - Values are checked against what NVIDIA documents before anything is changed.
  - The daemon reads the file when it starts. Restart it when RV(restart_required) says so.
options:
  path:
    description: The file.
    type: path
    default: /etc/nvidia/gridd.conf
  template:
    description: What a missing file is made from, where it is there; NVIDIA's package brings it.
    type: path
    default: /etc/nvidia/gridd.conf.template
  feature_type:
    description:
      - C(FeatureType), what to license. On a virtual GPU its profile decides, and V(vgpu) is right or no value at all.
        A passed-through GPU has to be told, V(vws) for an RTX Virtual Workstation, V(vcs) for a Virtual Compute Server.
      - V(0), V(1), V(2) and V(4) are the numbers of the four names.
    type: str
    choices: [unlicensed, vgpu, vws, vcs, "0", "1", "2", "4"]
  enable_ui:
    description: C(EnableUI), whether NVIDIA X Server Settings shows its page of licences.
    type: bool
  ignore_sp:
    description: C(IgnoreSP), whether the licence that comes with a cloud's image is not used.
    type: bool
  license_interval:
    description: C(LicenseInterval), minutes from 10 to 10080 for which a licence is borrowed. For legacy servers.
    type: int
  linger_interval:
    description: C(LingerInterval), minutes from 0 to 10080 for which a licence outlives a shutdown. For legacy servers.
    type: int
  token_path:
    description: C(ClientConfigTokenPath), the folder of the token, where it is not NVIDIA's.
    type: str
  legacy:
    description: Allow the four options of the legacy licence server, which no driver since vGPU 15 works with.
    type: bool
    default: false
  server_address:
    description: C(ServerAddress), needs O(legacy).
    type: str
  server_port:
    description: C(ServerPort), needs O(legacy).
    type: int
  backup_server_address:
    description: C(BackupServerAddress), needs O(legacy).
    type: str
  backup_server_port:
    description: C(BackupServerPort), needs O(legacy).
    type: int
  values:
    description: Any other keys with their values, such as those of a proxy.
    type: dict
    default: {}
  remove:
    description: Keys to take out of force. Their line becomes a comment.
    type: list
    elements: str
    default: []
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
  - module: gpufleet.nvidia.gridd_token
  - module: gpufleet.nvidia.gridd_license
"""

EXAMPLES = r"""
- name: License what the virtual GPU's profile is for
  gpufleet.nvidia.gridd:
    feature_type: vgpu

- name: License a passed-through GPU as a workstation, not with the cloud's own licence
  gpufleet.nvidia.gridd:
    feature_type: vws
    ignore_sp: false
    enable_ui: false

- name: Nothing of the legacy licence server any more
  gpufleet.nvidia.gridd:
    remove: [ServerAddress, ServerPort, BackupServerAddress, BackupServerPort]
"""

RETURN = r"""
changed_keys:
  description: The keys that changed, or would change in check mode.
  returned: success
  type: list
  elements: str
  sample: [FeatureType]
settings:
  description: All keys in force afterwards, with their values.
  returned: success
  type: dict
restart_required:
  description:
    - Whether the daemon has to be restarted to know it. A file that others could write is written anew, and so is newer
      than the daemon; one of which the group alone is given back is not.
  returned: success
  type: bool
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [Set FeatureType=1]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd import ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "path": {"type": "path", "default": "/etc/nvidia/gridd.conf"},
    "template": {"type": "path", "default": "/etc/nvidia/gridd.conf.template"},
    "feature_type": {"type": "str", "choices": ["unlicensed", "vgpu", "vws", "vcs", "0", "1", "2", "4"]},
    "enable_ui": {"type": "bool"},
    "ignore_sp": {"type": "bool"},
    "license_interval": {"type": "int"},
    "linger_interval": {"type": "int"},
    "token_path": {"type": "str", "no_log": False},
    "legacy": {"type": "bool", "default": False},
    "server_address": {"type": "str"},
    "server_port": {"type": "int"},
    "backup_server_address": {"type": "str"},
    "backup_server_port": {"type": "int"},
    "values": {"type": "dict", "default": {}},
    "remove": {"type": "list", "elements": "str", "default": []},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
