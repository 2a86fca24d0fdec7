# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.stack."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stack
short_description: Chooses driver, CUDA, NCCL and vLLM that fit together and fit a host's GPUs, with every reason
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes the facts of a host and what is wanted of it, and gives one coherent stack, or what is in the way of one.
    Nothing touches the host.
  - A want is a filter over what is possible, so another want can only narrow the choice. What is installed and
    satisfies all wants stays.
  - All GPUs of a host are resolved together. On a vGPU guest the driver is what it is, and the rest must fit it.
  - What the catalogue does not know is called unknown, with the nearest that it knows.
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  wants:
    description:
      - The variables of roles without their prefix, by role (C(nvidia_driver), C(cuda), C(nccl), C(vllm_serve)), as
        P(gpufleet.nvidia.wants#lookup) gives them.
      - Or short forms, C(cuda) (a release, a list of them, or V(auto)), C(nccl), C(vllm), C(driver_branch),
        C(driver_version), C(driver_method) and C(flavour).
      - And C(vgpu), a release of NVIDIA's vGPU software such as V(19.2), which decides the driver of a guest.
      - V({}) asks for nothing, which gives the driver alone.
    type: dict
    required: true
seealso:
  - plugin: gpufleet.nvidia.wants
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Say what this host would get, and why
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.stack(lookup('gpufleet.nvidia.wants'))).why }}"

- name: Ask what stands in the way of a vLLM
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.stack({'vllm': '0.11'})).findings }}"
"""

RETURN = r"""
_value:
  description:
    - The stack. What could not be decided is V(null) or empty.
  type: dict
  contains:
    gpus:
      description:
        - Each physical GPU with C(address), C(device), C(name), C(architecture), C(compute_capability) and
          C(memory_mib).
      type: list
      elements: dict
    driver:
      description:
        - The plan of P(gpufleet.nvidia.driver_plan#filter), and C(fixed), whether the driver is not to be chosen. On
          a vGPU guest it is, C(method) is V(grid), and everything but C(branch) and C(version) is empty.
      type: dict
    cuda:
      description: The CUDA toolkits.
      type: dict
      contains:
        wanted: {description: Whether any is asked for., type: bool}
        releases:
          description:
            - Each toolkit with C(release) (12.6), C(update) (12.6.3, V(null) for the newest), C(floor), the least
              driver, C(driver), the one for all features, and C(mode), V(full), V(minor_version) (it runs with
              limits) or V(older) (the driver is too old, and an error says so).
          type: list
          elements: dict
        method: {description: "V(repository), V(distribution) or V(runfile).", type: str}
        newest: {description: The newest release that can be had here., type: str}
    nccl:
      description:
        - C(wanted), C(version), the version of the C(package), the C(cuda) that it must fit, and C(method),
          V(repository), V(distribution) or V(hpcsdk).
      type: dict
    vllm:
      description:
        - C(wanted), C(version), its C(line), and what it needs, C(cuda), C(compute_capability), C(python), C(torch).
      type: dict
    findings:
      description: What a person must know, errors first, each with C(severity), C(code), C(text) and C(source).
      type: list
      elements: dict
    why:
      description: A sentence for each choice, C(branch), C(flavour), C(cuda), C(nccl) and C(vllm).
      type: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack


class FilterModule:
    def filters(self):
        return {"stack": stack}
