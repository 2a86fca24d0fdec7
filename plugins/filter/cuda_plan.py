# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.cuda_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cuda_plan
short_description: Decides how a host gets its CUDA toolkits, and what stands in the way
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes the facts of a host, the stack that was chosen for it and the wants of its owner, and gives one plan for the
    CUDA toolkits. Nothing touches the host.
  - The plan of a host that is as declared has no steps.
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  stack:
    description: What P(gpufleet.nvidia.stack#filter) chose; its C(cuda) and its findings are read.
    type: dict
    required: true
  wants:
    description:
      - The variables of the role C(gpufleet.nvidia.cuda) without their prefix.
      - What is missing takes its default.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what would change
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.cuda_plan(chosen, {'versions': ['12.6']})).steps }}"
  vars:
    chosen: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.stack({'cuda': '12.6'}) }}"
"""

RETURN = r"""
_value:
  description:
    - The plan. What is not to be done is V(false), V(null) or empty.
  type: dict
  contains:
    state:
      description: What is wanted, V(present) or V(absent).
      type: str
    method:
      description: V(repository), V(distribution) or V(runfile).
      type: str
    skipped:
      description: Why there is nothing to do, as a sentence. V(null) otherwise.
      type: str
    idle:
      description: Whether the host is as declared, or nothing is wanted.
      type: bool
    toolkits:
      description: The toolkits that are wanted, with C(release), C(update), C(method), C(path), C(nvcc), C(packages),
        C(present) and C(source).
      type: list
      elements: dict
    packages:
      description: Packages to ask for, some with C(=) and a version.
      type: list
      elements: str
    companions:
      description: Packages that they need beside, which are neither held nor removed.
      type: list
      elements: str
    hold:
      description: Whether they are held. V(null) where no package is asked for.
      type: bool
    hold_also:
      description: Patterns of packages that are held with them.
      type: list
      elements: str
    driver_libraries_ok:
      description: Whether libraries of the driver may come along, on a host that has no driver.
      type: bool
    repository:
      description: The file that has apt find the packages. V(null) where none is needed.
      type: dict
    key:
      description: The key of that repository, with C(path), C(url), C(content) and C(fingerprint).
      type: dict
    package_files:
      description: Files for the package manager, each with C(path), and with C(content) and C(mode) or with C(state).
      type: list
      elements: dict
    files:
      description: Files that make the toolkit known to everybody, of the same shape.
      type: list
      elements: dict
    runfiles:
      description: Files of NVIDIA to install, with C(release), C(src), C(sha256), C(remote_src) and C(toolkit_path).
      type: list
      elements: dict
    link:
      description: What C(/usr/local/cuda) means, with C(path) and C(choices).
      type: dict
    remove:
      description: Packages to remove; V(*) stands for anything.
      type: list
      elements: str
    proofs:
      description: Parameters of P(gpufleet.nvidia.nvcc_proof#module), a row for each toolkit.
      type: list
      elements: dict
    steps:
      description: All of this as sentences. Empty means that nothing is to be done.
      type: list
      elements: str
    deviations:
      description: Where the host is not what was declared, as sentences.
      type: list
      elements: str
    findings:
      description: What a person must know, errors first, each with C(severity), C(code), C(text) and C(source).
      type: list
      elements: dict
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_plan import cuda_plan


class FilterModule:
    def filters(self):
        return {"cuda_plan": cuda_plan}
