# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.vgpu_host_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vgpu_host_plan
short_description: Decides what a vGPU host needs to carry what is declared
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes the facts of a host and the variables of role C(gpufleet.nvidia.vgpu_host), and gives one plan for the vGPU
    manager, the IOMMU, the modes of the cards, their devices, and what is restored after a reboot, with all that stands
    in the way.
  - Nothing touches the host.
positional: _input, wants, host
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  wants:
    description: The variables of the role without their prefix; what is missing takes its default.
    type: dict
    required: true
  host:
    description: The host's name, of which the UUIDs of its devices are made.
    type: str
    default: localhost
  program:
    description: The texts of the files of the program that restores, by their names.
    type: dict
"""

EXAMPLES = r"""
- name: Show what stands in the way
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.vgpu_host_plan(wants, inventory_hostname)).findings }}"
  vars:
    wants:
      requests: [{name: desktops, profile: GRID P4-4Q, count: 2}]
"""

RETURN = r"""
_value:
  description: The plan. What is not to be done is V(false), V(null) or empty.
  type: dict
  contains:
    state:
      description: What is wanted, V(present) or V(absent).
      type: str
    idle:
      description: Whether nothing is declared.
      type: bool
    platform:
      description: V(kvm) or V(proxmox).
      type: str
    method:
      description: How the manager comes, V(deb), V(rpm), V(runfile) or V(none).
      type: str
    version:
      description: The manager's version afterwards.
      type: str
    installed:
      description: The manager's version now.
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
    installs:
      description: Whether a manager is to be installed, now or after nouveau has gone.
      type: bool
    nouveau_first:
      description: Whether it can only be installed after a reboot without nouveau.
      type: bool
    remove_packages:
      description: Packages of the manager to remove.
      type: list
      elements: str
    remove_runfile:
      description: Whether the manager from a runfile is to be removed.
      type: bool
    module_files:
      description: Files for modprobe.
      type: list
      elements: dict
    iommu_declared:
      description: Whether the IOMMU shall be in the kernel's command line, where the kernel needs to be told.
      type: bool
    iommu:
      description: Whether the IOMMU is to be switched on there, because none is in use.
      type: bool
    services:
      description: The manager's units that are there.
      type: list
      elements: str
    ready:
      description: Whether devices can be made now.
      type: bool
    cards:
      description: Rows for O(gpufleet.nvidia.vgpu_cards#module:cards).
      type: list
      elements: dict
    pending:
      description: Whether one of them has to change before all devices can be made.
      type: bool
    mapping:
      description: What to name in a resource mapping, cards or virtual functions.
      type: list
      elements: str
    devices:
      description: Rows for O(gpufleet.nvidia.mdev#module:devices).
      type: list
      elements: dict
    device_state:
      description: Their O(gpufleet.nvidia.mdev#module:state).
      type: str
    assignments:
      description: Each device with C(request), C(index), C(action), C(card), C(parent), C(uuid), C(type) and C(name).
      type: list
      elements: dict
    surplus:
      description: Devices that nobody declares.
      type: list
      elements: dict
    usage:
      description: What each card will carry, as in P(gpufleet.nvidia.mdev_plan#filter).
      type: list
      elements: dict
    restore:
      description: Whether a reboot is to be followed by a restoration.
      type: bool
    restore_files:
      description: The unit, its program and the declared state.
      type: list
      elements: dict
    findings:
      description: What a person must know, errors first, each with C(severity), C(code), C(text) and C(source).
      type: list
      elements: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_plan import vgpu_host_plan


class FilterModule:
    def filters(self):
        return {"vgpu_host_plan": vgpu_host_plan}
