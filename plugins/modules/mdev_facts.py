#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vGPU host's part of the facts, for people who want no more than that."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mdev_facts
short_description: Finds out which virtual GPUs a host has, and which it can have
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - The subset V(mdev) of M(gpufleet.nvidia.gpu_facts) with what it needs. It gives the same values at the same places.
  - Knows both of NVIDIA's interfaces, mediated devices and the vendor-specific one of newer kernels, and any other
    driver that makes mediated devices.
  - Reads sysfs, mdevctl's folder and the vGPU manager's table of types. mdevctl is asked for its version alone.
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: linux
options:
  timeout:
    description: Seconds that NVML may take before it is given up.
    type: int
    default: 60
seealso:
  - module: gpufleet.nvidia.gpu_facts
  - module: gpufleet.nvidia.mdev
"""

EXAMPLES = r"""
- name: Read the vGPU host's state
  gpufleet.nvidia.mdev_facts:

- name: Say which types the first card still takes
  ansible.builtin.debug:
    msg: "{{ ansible_facts['nvidia'].mdev.cards[0].types | selectattr('available') | map(attribute='name') }}"
"""

RETURN = r"""
ansible_facts:
  description: What was read, below one key.
  returned: always
  type: dict
  contains:
    nvidia:
      description: As M(gpufleet.nvidia.gpu_facts) returns it.
      type: dict
      returned: always
      contains:
        mdev:
          description: The virtual GPUs of a host. V(null) where nothing can make one and no vGPU manager is there.
          type: dict
          returned: always
          contains:
            cards:
              description:
                - Each of NVIDIA's GPUs, and each other device that can be cut (C(kind) V(other)), by C(address), with
                  C(name), C(memory_mib) and C(device), its PCI id.
                - C(framework) is V(mdev), V(vendor_vfio) or V(none); C(parents) are the addresses that carry devices,
                  the card itself or its virtual functions; C(sriov) has C(total), C(enabled) and C(functions).
                - C(heterogeneous) has C(enabled), C(sizes) (vGPUs of several sizes are supported) and C(profiles) (of
                  several types of one size); C(mig) and C(ecc) have C(current) and C(pending). They are V(null) where
                  NVML does not tell.
                - C(types) each with C(id), C(name), C(profile), C(series), C(framebuffer_mib), C(slices) (of MIG),
                  C(max_instances) of a card, C(available) now, C(heads), C(max_resolution), C(frame_rate_limit) and the
                  driver's C(description).
              type: list
              elements: dict
              returned: always
            devices:
              description:
                - Each device that runs or is defined, with C(uuid) (V(null) for a function), C(parent), C(card),
                  C(type) (its id), C(name), C(active), C(defined), C(autostart), C(parameters), C(iommu_group), and
                  C(open_by) with C(pid), C(program) and C(vm) of each process that uses it.
              type: list
              elements: dict
              returned: always
            mdevctl:
              description:
                - C(version), C(path), and C(autostart_works), whether defined devices really start when their parent
                  appears. Where not, C(reason) says why. V(null) as C(version) means that mdevctl is absent or fails.
              type: dict
              returned: always
            manager:
              description: Whether the programs of the vGPU manager are installed.
              type: bool
              returned: always
            services:
              description: The vGPU manager's units, each with C(present), C(enabled), C(active) and C(sub).
              type: dict
              returned: always
            iommu:
              description:
                - Whether the kernel uses one (C(enabled)), its C(groups), words of the C(command_line), and those that
                  every kernel gets at the C(next_boot), V(null) where the boot loader's files do not tell.
              type: dict
              returned: always
            proxmox:
              description: Whether this is Proxmox VE, which makes the devices itself when a virtual machine starts.
              type: bool
              returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._facts import probe
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {"timeout": {"type": "int", "default": 60}}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = probe(ModuleSystem(module), ["mdev"], module.params["timeout"])
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
