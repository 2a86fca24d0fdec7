# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.summary."""

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
short_description: Turns the facts of a GPU host into lines for a person
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes C(ansible_facts['nvidia']); gives what the host is, its GPUs, its driver and the verdict.
options:
  _input:
    description: The facts that M(gpufleet.nvidia.gpu_facts) returns, with all subsets gathered.
    type: dict
    required: true
seealso:
  - module: gpufleet.nvidia.gpu_facts
"""

EXAMPLES = r"""
- name: Show the host's summary
  ansible.builtin.debug:
    msg: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.summary }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.summary import summary


class FilterModule:
    def filters(self):
        return {"summary": summary}
