# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.drift."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drift_report
short_description: What has changed on a fleet since it was converged, as rows and as a table
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes the fact C(records) of many hosts, and gives one row for each host and role with all that has changed there.
options:
  _input:
    description:
      - By host a dictionary with C(records) and C(partial), the facts of these names or V(null), and C(error), why
        there are none. With C(inputs) and C(collection) a row tells as well what was declared otherwise since.
    type: dict
    required: true
  records_required:
    description: Whether a host that this collection never converged counts as failed.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what has changed on two hosts
  ansible.builtin.debug:
    msg: "{{ ({'a': {'records': a_records}, 'b': {'error': 'unreachable'}} | gpufleet.nvidia.drift_report).table }}"
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    ok:
      description: Whether every host is as its roles left it.
      type: bool
    failed:
      description: Names of the others, also of those that gave no answer or whose records cannot be trusted.
      type: list
      elements: str
    never:
      description: Names of the hosts that this collection never converged.
      type: list
      elements: str
    hosts:
      description:
        - Rows with C(host), C(role), C(state) (V(in order), V(drifted), V(damaged), V(not compared), V(never
          converged), V(unreadable)), C(converged) (ISO 8601), C(texts), C(drift) and
          C(since), what was declared otherwise since.
      type: list
      elements: dict
    drift:
      description: One row for each thing, with C(host), C(role), C(kind), C(name), C(was), C(is) and C(text).
      type: list
      elements: dict
    table:
      description: The same for people, as lines.
      type: list
      elements: str
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.drift import drift_report


class FilterModule:
    def filters(self):
        return {"drift_report": drift_report}
