# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.mdev_uuid."""

from __future__ import annotations

DOCUMENTATION = r"""
name: mdev_uuid
short_description: The UUID that a virtual GPU gets, by what it is for
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - The UUID that P(gpufleet.nvidia.mdev_plan#filter) gives to a new device, so that the definition of a virtual machine
    can name it before it is there. The same words give the same UUID.
positional: _input, host, index
options:
  _input:
    description: The name of the request.
    type: str
    required: true
  host:
    description: The host that carries the device.
    type: str
    required: true
  index:
    description: Its number among the devices of the request.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: The second desktop of this host
  ansible.builtin.debug:
    msg: "{{ 'desktops' | gpufleet.nvidia.mdev_uuid(inventory_hostname, 1) }}"
"""

RETURN = r"""
_value:
  description: The UUID.
  type: str
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_uuid import mdev_uuid


class FilterModule:
    def filters(self):
        return {"mdev_uuid": mdev_uuid}
