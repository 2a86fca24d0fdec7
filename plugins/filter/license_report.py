# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vgpu_report."""

from __future__ import annotations

DOCUMENTATION = r"""
name: license_report
short_description: The vGPU licences of a fleet as rows and as a table
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes the fact C(gridd) of many hosts, and gives one row for each GPU with host, product, state, expiry and cause.
options:
  _input:
    description: By host a dictionary with C(gridd), the fact of that name or V(null), and C(error), why there is none.
    type: dict
    required: true
  needed:
    description: Whether a host without licence counts as failed.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show the licences of two hosts
  ansible.builtin.debug:
    msg: "{{ ({'a': {'gridd': a_gridd}, 'b': {'error': 'unreachable'}} | gpufleet.nvidia.license_report).table }}"
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    ok:
      description: Whether every host that needs a licence has one.
      type: bool
    failed:
      description: Names of the others.
      type: list
      elements: str
    hosts:
      description:
        - Rows with C(host), C(address), C(product), C(profile), C(state), C(ok), C(expires) (ISO 8601), C(remaining_s),
          C(cause), C(hint) and C(line), the daemon's own words.
      type: list
      elements: dict
    table:
      description: The same for people, as lines.
      type: list
      elements: str
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_report import license_report


class FilterModule:
    def filters(self):
        return {"license_report": license_report}
