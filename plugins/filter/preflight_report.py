# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.preflight_report."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_report
short_description: Makes one sorted report of everything that was found about a host
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Sorts findings of the resolver, of the roles' plans and of the host, each text once, and leaves out a guess from the
    facts where the host itself was looked at.
options:
  _input:
    description: Findings, each with C(severity), C(code), C(text) and C(source).
    type: list
    elements: dict
    required: true
  fail_on:
    description: What refuses the host. V(warning) stands for errors and warnings.
    type: str
    choices: [error, warning, nothing]
    default: error
"""

EXAMPLES = r"""
- name: Show what stands in the way
  ansible.builtin.debug:
    msg: "{{ (preflight_findings | gpufleet.nvidia.preflight_report).lines }}"
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    findings:
      description: The findings, errors first.
      type: list
      elements: dict
    lines:
      description: One line for each, beginning with its severity.
      type: list
      elements: str
    refused:
      description: The sentences that refuse the host. Empty means that the change may begin.
      type: list
      elements: str
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.preflight_report import preflight_report


def _preflight_report(findings, fail_on="error"):
    try:
        return preflight_report(findings, fail_on)
    except ValueError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    def filters(self):
        return {"preflight_report": _preflight_report}
