# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vgpu_guest_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vgpu_guest_plan
short_description: Decides what a vGPU guest needs to be licensed
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes the facts of a host and the variables of role C(gpufleet.nvidia.vgpu_guest), and gives one plan for the guest
    driver, the files that protect it, the licensing daemon and its token, with all that stands in the way.
  - Whether the host takes the guest driver is decided by vGPU software releases, from the catalogue.
  - Nothing touches the host.
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  wants:
    description:
      - The variables of the role without their prefix; what is missing takes its default. The token's content is never
        among them, only C(has_token_content).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what stands in the way
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.vgpu_guest_plan({'purpose': 'compute'})).findings }}"
"""

RETURN = r"""
_value:
  description: The plan. What is not to be done is V(false), V(null) or empty.
  type: dict
  contains:
    state:
      description: What is wanted, V(present) or V(absent).
      type: str
    method:
      description: How the driver comes, V(deb), V(rpm) or V(runfile).
      type: str
    version:
      description: The guest driver's version afterwards.
      type: str
    installed:
      description: The guest driver's version now.
      type: str
    kernels:
      description: The kernels to build modules for.
      type: list
      elements: str
    build:
      description: How modules are built, V(dkms) or V(runfile).
      type: str
    header_packages:
      description: Packages with the kernels' headers.
      type: list
      elements: str
    build_packages:
      description: Packages to build modules with.
      type: list
      elements: str
    package:
      description: Options of P(gpufleet.nvidia.package_file#module).
      type: dict
    runfile:
      description: Options of P(gpufleet.nvidia.runfile#module).
      type: dict
    remove_packages:
      description: Packages of the guest driver to remove.
      type: list
      elements: str
    nouveau_first:
      description: Whether the driver can only be installed after a reboot without nouveau.
      type: bool
    remove_runfile:
      description: Whether the guest driver from a runfile is to be removed.
      type: bool
    package_files:
      description: Files that keep other drivers out.
      type: list
      elements: dict
    module_files:
      description: Files for modprobe.
      type: list
      elements: dict
    unit_files:
      description: The daemon's unit, where none came with it.
      type: list
      elements: dict
    conf_files:
      description: The daemon's own configuration, where it goes with the driver.
      type: list
      elements: dict
    feature_type:
      description: FeatureType as a number.
      type: int
    token:
      description: Options of P(gpufleet.nvidia.gridd_token#module) that are no secret.
      type: dict
    has_token:
      description: Whether a token is given at all.
      type: bool
    restart:
      description: Whether an earlier run still owes the daemon a restart.
      type: bool
    time_sync:
      description: Whether nothing sets the clock yet.
      type: bool
    service_seen:
      description: Whether the daemon has a unit.
      type: bool
    enable:
      description: Whether the unit is to be enabled.
      type: bool
    start:
      description: Whether the daemon is to be started.
      type: bool
    findings:
      description: What a person must know, errors first, each with C(severity), C(code), C(text) and C(source).
      type: list
      elements: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_guest_plan import vgpu_guest_plan


class FilterModule:
    def filters(self):
        return {"vgpu_guest_plan": vgpu_guest_plan}
