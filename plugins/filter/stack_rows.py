# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.stack_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_rows
short_description: Turns the stacks of a fleet into rows for another program
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Gives the rows of P(gpufleet.nvidia.stack_table#filter) as dictionaries, small enough to be handed from job to job.
options:
  _input:
    description:
      - By name of the host, C(stack), the result of P(gpufleet.nvidia.stack#filter), or V(null) and in C(error) why
        there is none.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Hand the plan of one host on to the next job of a workflow
  ansible.builtin.set_stats:
    data:
      gpufleet_plan: "{{ {inventory_hostname: {'stack': stack, 'error': none}} | gpufleet.nvidia.stack_rows }}"
    aggregate: false
  vars:
    stack: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.stack({}) }}"
"""

RETURN = r"""
_value:
  description:
    - By name of the host, texts C(gpus), C(driver), C(cuda), C(nccl), C(vllm) and C(verdict), and C(errors), a list of
      the sentences that say what is in the way.
  type: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_table import stack_rows


class FilterModule:
    def filters(self):
        return {"stack_rows": stack_rows}
