#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One probe for everything that the collection decides on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_facts
short_description: Finds out what a GPU host is, in one round trip
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Reads NVIDIA's functions on the PCI bus, the kernels, the driver (loaded, on disk for each kernel, libraries,
    packages), each GPU through NVML, and the persistence daemon; says whether the driver is of one piece.
  - Works without a driver, a GPU or NVML. What is absent is a value, never a failure.
  - sysfs, procfs and package databases come first; whatever is executed has a time-out, and what could not be read
    is in RV(ansible_facts.nvidia.partial) with its reason.
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: linux
requirements:
  - nvidia-ml-py on the target, for the subset V(nvml); a distribution's package of it will do
options:
  gather_subset:
    description:
      - What to read; what a subset needs comes with it. A name with C(!) before it is left out.
      - V(system) is the operating system; V(kernel) the kernels; V(pci) the cards; V(driver) modules, libraries and
        packages; V(nvml) each GPU; V(persistence) the daemon; V(cuda) the CUDA toolkits; V(nccl) the NCCL libraries;
        V(gridd) the licence of a vGPU guest; V(secure_boot) whether the kernel trusts the driver's modules; V(mdev)
        the virtual GPUs of a vGPU host; V(vllm) the servers of models; V(records) what this collection's roles left,
        and what has changed since.
      - V(records) compares a fact only when its subset is read as well.
    type: list
    elements: str
    default: [all]
  timeout:
    description:
      - Seconds that NVML may take before it is given up.
      - Where nothing keeps the GPUs initialised, the driver wakes one after the other first, a few seconds each.
    type: int
    default: 60
  records_path:
    description: The folder of the convergence records.
    type: path
    default: /var/lib/gpufleet/records
seealso:
  - module: gpufleet.nvidia.convergence_record
  - module: gpufleet.nvidia.driver_facts
  - module: gpufleet.nvidia.mok_facts
"""

EXAMPLES = r"""
- name: Read everything
  gpufleet.nvidia.gpu_facts:

- name: Say what the host is
  ansible.builtin.debug:
    msg: "{{ ansible_facts['nvidia'].coherence.verdict }}: {{ ansible_facts['nvidia'].coherence.reasons }}"

- name: Read all but NVML, on a host whose card is known to hang
  gpufleet.nvidia.gpu_facts:
    gather_subset: ["!nvml"]
"""

RETURN = r"""
ansible_facts:
  description: What was read, below one key.
  returned: always
  type: dict
  contains:
    nvidia:
      description: The facts of the GPU stack.
      type: dict
      returned: always
      contains:
        system:
          description: Distribution, package and service manager, container, hypervisor, Secure Boot, boot id, glibc.
          type: dict
          returned: subset system
        repositories:
          description: apt's enabled entries, one for each suite.
          type: list
          elements: dict
          returned: subset system
        kernel:
          description: The running kernel, the one that boots next, and each installed one.
          type: dict
          returned: subset kernel
        pci:
          description: NVIDIA's functions with address, ids, architecture, bound driver and memory regions.
          type: list
          elements: dict
          returned: subset pci
        nouveau:
          description: Whether nouveau or nova is loaded, drives a card, or is kept from loading.
          type: dict
          returned: subset pci
        place:
          description: C(bare_metal), C(passthrough), C(vgpu_guest), C(vgpu_host) or C(container).
          type: str
          returned: subset pci
        driver:
          description: Loaded module, modules on disk by kernel, DKMS, library, install method and packages.
          type: dict
          returned: subset driver
        nvml:
          description: Whether NVML answers, why not, and the versions that it gives.
          type: dict
          returned: subset nvml
        gpus:
          description: Each GPU as NVML shows it. Memory in MiB, power in watts, temperature in degrees Celsius.
          type: list
          elements: dict
          returned: subset nvml
        persistence:
          description: The daemon's unit as systemd sees it, and the mode that the GPUs are in.
          type: dict
          returned: subset persistence
        grid:
          description:
            - Whether the driver is the vGPU guest driver (C(installed)), the path of C(gridd), the C(package) that
              brings it with C(name), C(version) and C(held), and C(protected_by), what keeps a transaction from
              replacing the driver's packages (V(hold), or the path of a file of preferences or locks).
          type: dict
          returned: subset driver
        cuda:
          description:
            - C(toolkits), each with C(release) (12.6), C(version) of the compiler (12.6.85), C(update) (12.6.3),
              C(path), C(nvcc), C(source) (V(repository), V(distribution), V(runfile), V(unknown)) and C(package);
              C(default), the toolkit that C(/usr/local/cuda) means, with C(path), C(release) and C(alternatives);
              C(packages) with C(name), C(version) and C(held); C(files), the SHA-256 by path of the files that the
              role cuda writes.
          type: dict
          returned: subset cuda
        nccl:
          description:
            - C(packages) with C(name), C(version) and C(held); C(libraries), each C(libnccl.so.2) on the disk with
              C(path), C(version) and C(in_cache); C(default), the one that the linker gives a program.
          type: dict
          returned: subset nccl
        gridd:
          description:
            - What M(gpufleet.nvidia.gridd_facts) documents in full. Without a licensing daemon and without a GPU that
              needs a licence, C(present) is false, C(state) is V(not_applicable), and nothing was executed for it.
          type: dict
          returned: subset gridd
        mok:
          description:
            - What M(gpufleet.nvidia.mok_facts) documents in full, with one C(state) and C(next_step). Keys are null
              and C(modules) is empty where the kernel asks for no signatures.
          type: dict
          returned: subset secure_boot
        mdev:
          description:
            - What M(gpufleet.nvidia.mdev_facts) documents in full. V(null) where nothing can make virtual GPUs; then no
              program was executed for it.
          type: dict
          returned: subset mdev
        vllm:
          description:
            - C(instances) by name, each with C(digest), C(port), C(gpus), C(active), C(enabled), C(state) in systemd's
              words, C(restarts) and C(pid); C(declared), what the role vllm_serve wrote when it last came to its end
              (C(digest), C(environment), C(version)), or null; C(files), the SHA-256 by path of the files that it
              writes, secrets excepted; C(doors), the same of front doors; C(environments) with C(path), C(package),
              C(version), C(current), C(packages) (versions of all distributions by their names) and C(gone) (what was
              there when M(gpufleet.nvidia.vllm_environment) had built it, and is no more).
            - C(left_behind), what killed servers have left, with C(processes) (C(pid), C(name)) and C(shared_memory)
              (paths); C(listening), the ports from 1024 on that are taken, with C(port), C(owner) and C(instance);
              C(shm_mib), the size of C(/dev/shm).
          type: dict
          returned: subset vllm
        records:
          description:
            - By role what M(gpufleet.nvidia.convergence_record) kept (C(inputs), C(collection), C(converged)), and how
              it compares with the host. C(damaged) is the reason why a record is not trusted, or null.
            - C(drift) has an entry for each thing that differs, with C(kind) (V(file), V(package), V(unit), V(fact)),
              C(name), C(was), C(is) and C(text), both in words. C(unchecked) has the facts that were not compared.
          type: dict
          returned: subset records
        coherence:
          description: One verdict, C(absent), C(coherent), C(needs_reload), C(needs_reboot) or C(broken), with reasons.
          type: dict
          returned: subset driver
        partial:
          description: What could not be read, and why.
          type: list
          elements: dict
          returned: always
        gathered:
          description: The subsets that were read.
          type: list
          elements: str
          returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._facts import probe
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "gather_subset": {"type": "list", "elements": "str", "default": ["all"]},
    "timeout": {"type": "int", "default": 60},
    "records_path": {"type": "path", "default": "/var/lib/gpufleet/records"},
}


def main():
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    asked = module.params
    try:
        result = probe(ModuleSystem(module), asked["gather_subset"], asked["timeout"], folder=asked["records_path"])
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
