# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.persistence_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: persistence_plan
short_description: Decides what keeps a host's GPUs initialised, and what has to change for it
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes the facts of a host and the wants of its owner, and gives one plan for the persistence daemon or, where none
    can run, for the kernel module's own persistence mode. Nothing touches the host.
  - The plan of a host that is as declared has no steps.
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  wants:
    description:
      - The variables of the role C(gpufleet.nvidia.persistenced) without their prefix, C(state), C(uvm_enabled),
        C(user), C(legacy_ok), and C(unit), the name of the daemon's unit.
      - What is missing takes its default.
    type: dict
    required: true
  packaged:
    description:
      - What the platform's package brings, C(package), C(path) of the unit, its C(exec_start) and C(unit_file_state).
      - It is asked only where the unit is not to be seen yet.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show what would change
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.persistence_plan({'state': 'enabled'})).steps }}"
"""

RETURN = r"""
_value:
  description:
    - The plan. What is not to be done is V(false), V(null) or empty.
  type: dict
  contains:
    state:
      description: What is wanted, V(enabled) or V(disabled).
      type: str
    unit:
      description: The name of the daemon's unit.
      type: str
    held_by:
      description: What keeps the GPUs initialised once the plan is carried out, V(daemon), V(legacy) or V(nothing).
      type: str
    skipped:
      description: Why there is nothing to do on such a host, as a sentence. V(null) otherwise.
      type: str
    pending:
      description: Whether the host has no driver yet. The plan is then a prediction.
      type: bool
    packages:
      description: Packages to install.
      type: list
      elements: str
    hold:
      description: Whether the packages are to be held, as the driver's are.
      type: bool
    user:
      description: The system user that must be there.
      type: str
    unmask:
      description: Whether the unit is to be unmasked. What lies below a mask is known afterwards.
      type: bool
    files:
      description: Files for systemd, each with C(path), and with C(content) and C(mode) or with C(state).
      type: list
      elements: dict
    link:
      description: The link that starts a unit at boot that cannot be enabled, with C(path) and C(target).
      type: dict
    enable:
      description: Whether the unit is to be enabled.
      type: bool
    stop:
      description: Whether the daemon is to be stopped first.
      type: bool
    start:
      description: Whether the daemon is to be started.
      type: bool
    legacy:
      description: The state for P(gpufleet.nvidia.persistence_mode#module), where no daemon can run.
      type: str
    unit_seen:
      description: Whether the unit is on the host, and not masked.
      type: bool
    settling:
      description: Whether the GPUs are off although the unit is as it should be. A daemon that is starting looks so.
      type: bool
    steps:
      description: All of this as sentences. Empty means that nothing is to be done.
      type: list
      elements: str
    findings:
      description: What a person must know, errors first, each with C(severity), C(code), C(text) and C(source).
      type: list
      elements: dict
    deviations:
      description: Where the host is not what was declared, as sentences.
      type: list
      elements: str
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.persistence_plan import persistence_plan


class FilterModule:
    def filters(self):
        return {"persistence_plan": persistence_plan}
