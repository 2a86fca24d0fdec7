# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.driver_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: driver_plan
short_description: Decides which NVIDIA driver a host gets, and says what stands in its way
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes the facts of a host and the wants of its owner, and gives one plan for the driver. Nothing touches the host.
  - All blockers are found together. A plan with a finding of severity C(error) is not to be applied.
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  wants:
    description:
      - The variables of the role C(gpufleet.nvidia.nvidia_driver) without their prefix.
      - What is missing takes its default.
      - C(requires) lists what software above the driver demands, each with C(what), C(min_driver) and C(source).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what the host would get, and why
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.driver_plan({'flavour': 'auto'})).why }}"

- name: Name everything that is in the way
  ansible.builtin.debug:
    msg: "{{ plan.findings | selectattr('severity', 'eq', 'error') | map(attribute='text') | list }}"
  vars:
    plan: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.driver_plan({'branch': 535}) }}"
"""

RETURN = r"""
_value:
  description:
    - The plan. What could not be decided is V(null) or empty.
  type: dict
  contains:
    state:
      description: What is wanted, V(present) or V(absent).
      type: str
    method:
      description: Where the driver comes from, V(package), V(repository) or V(runfile).
      type: str
    platform:
      description: C(name) and C(package_manager) of the platform in the catalogue.
      type: dict
    branch:
      description: The driver branch.
      type: int
    series:
      description: The distribution's series of that branch.
      type: str
    version:
      description: The exact version that is asked for. V(null) means what is installed, otherwise the archive's.
      type: str
    flavour:
      description: V(open) or V(proprietary).
      type: str
    build:
      description: V(dkms), V(precompiled) or, for a runfile without DKMS, V(runfile).
      type: str
    module_name:
      description: The file name of the kernel module on this platform.
      type: str
    kernel_packages:
      description: Those of the driver packages that bring the kernel modules.
      type: list
      elements: str
    packages:
      description: The driver packages to ask for. With V(absent), those that are installed.
      type: list
      elements: str
    pinning:
      description: The package of NVIDIA's repository that keeps the branch or version. It is the first of C(packages).
      type: str
    build_packages:
      description: What building the modules of a runfile needs beside the headers.
      type: list
      elements: str
    header_packages:
      description: Packages with the headers of the target kernels.
      type: list
      elements: str
    nvml_packages:
      description: Packages that bring nvidia-ml-py for the target's Python.
      type: list
      elements: str
    remove:
      description: Packages of other series, flavours and sources, which must go. V(*) stands for anything.
      type: list
      elements: str
    persistence:
      description: C(package), C(unit) and C(user) of the persistence daemon.
      type: dict
    kernels:
      description: Releases of the kernels that get modules.
      type: list
      elements: str
    gpu_required:
      description: Whether a host without GPU was to be refused.
      type: bool
    repository:
      description: The file that enables the archive's components, or NVIDIA's repository. V(null) where none is needed.
      type: dict
    repository_key:
      description:
        - The key that signs NVIDIA's repository, with C(path), C(url) or C(content), and C(fingerprint).
        - V(null) where the host has that repository by itself.
      type: dict
    runfile:
      description: Options of P(gpufleet.nvidia.runfile#module). V(null) for other methods.
      type: dict
    runfile_there:
      description: Whether the host has that runfile's driver already, whole.
      type: bool
    remove_runfile:
      description: Whether a driver of NVIDIA's runfile is to be removed.
      type: bool
    previous:
      description:
        - The packaged driver that goes before a runfile comes, and is put back when that fails.
        - It has C(packages), C(companions) that need its libraries, and C(version). V(null) where there is none.
      type: dict
    module_files:
      description: Files for modprobe, each with C(path), and with C(content) and C(mode) or with C(state).
      type: list
      elements: dict
    package_files:
      description: Files for the package manager, of the same shape.
      type: list
      elements: dict
    initramfs_command:
      description: The command that rebuilds the initramfs.
      type: list
      elements: str
    load_modules:
      description: Modules to load for use.
      type: list
      elements: str
    secure_boot:
      description:
        - Who signs the kernel modules. C(way) is V(precompiled) (the distribution has), V(site_key), V(host_key), or
          V(none) where nobody asks for signatures or C(mode), the wanted one, is V(ignore).
        - C(enforced), the kernel asks for signatures; C(sign), modules are signed on the host with C(private_key) and
          C(certificate), paths there; C(dkms), DKMS is to use that pair from now on; C(stage), the enrolment is asked
          for; C(revoke), the removal of keys that sign nothing any more is; C(packages), tools for that; C(settled),
          nothing of it is left to do; C(console), a console is named.
      type: dict
    upgrade:
      description: Whether an installed driver moves to the newest version, because it may or must.
      type: bool
    hold:
      description: Whether the versions are held.
      type: bool
    commands:
      description: The commands that a person would type on that platform, in order.
      type: list
      elements: list
    findings:
      description: What a person must know, errors first, each with C(severity), C(code), C(text) and C(source).
      type: list
      elements: dict
    why:
      description: A sentence each for C(branch) and C(flavour), and for C(secure_boot) where signatures are asked for.
      type: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan


class FilterModule:
    def filters(self):
        return {"driver_plan": driver_plan}
