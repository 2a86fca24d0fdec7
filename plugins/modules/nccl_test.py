#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures collectives between GPUs with nccl-tests."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nccl_test
short_description: Measures a collective between GPUs, and fails when it is too slow or wrong
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Runs a program of NVIDIA's nccl-tests over the chosen GPUs and returns sizes, times, bandwidths and wrong values as
    data. The programs are the user's, or are made from a source archive that the user supplies.
  - The test gets an environment of its own, of which O(env) is the only part that can be chosen. What the program
    writes of its environment is not returned.
  - Reads and computes only. No setting of a GPU is changed.
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
    details: Says what it would do, and measures nothing.
  diff_mode:
    support: none
  platform:
    platforms: linux
options:
  binaries:
    description: Folder on the host with the programs of nccl-tests, such as C(all_reduce_perf).
    type: path
  source:
    description: Makes the programs, once for an archive and its options, instead of taking those of O(binaries).
    type: dict
    suboptions:
      src:
        description: The source archive of nccl-tests on the host, as tar can read it, with one folder at its top.
        type: path
        required: true
      sha256:
        description: The archive's SHA-256. Another file is refused before it is unpacked.
        type: str
        required: true
      folder:
        description: Where the programs are kept, in a folder for each archive and its options.
        type: path
        default: /var/cache/gpufleet/nccl-tests
      cuda_home:
        description: The CUDA toolkit to make them with.
        type: path
        default: /usr/local/cuda
      nccl_home:
        description: Where NCCL's headers and library are, if not with the system's.
        type: path
      capabilities:
        description: Compute capabilities to make code for, such as V(9.0). Naming the host's own saves most time.
        type: list
        elements: str
        default: []
      mpi:
        description: Make them with MPI, for several nodes.
        type: bool
        default: false
      mpi_home:
        description: Where MPI is.
        type: path
  collective:
    description: What is measured.
    type: str
    choices: [all_reduce, all_gather, reduce_scatter, alltoall, broadcast, reduce, sendrecv, gather, scatter, hypercube]
    default: all_reduce
  gpus:
    description: How many GPUs take part, if O(devices) does not name them.
    type: int
    default: 1
  devices:
    description: The GPUs by index or UUID.
    type: list
    elements: str
    default: []
  min_bytes:
    description: The smallest size, in bytes or with K, M or G.
    type: str
    default: 8M
  max_bytes:
    description: The largest size. The test is judged by it.
    type: str
    default: 1G
  factor:
    description: How many times larger each next size is.
    type: int
    default: 2
  iterations:
    description: Measured repetitions of each size.
    type: int
    default: 20
  warmup:
    description: Repetitions before those.
    type: int
    default: 5
  datatype:
    description: Type of the elements.
    type: str
    default: float
  operation:
    description: The reduction, for collectives that reduce. Without it the program's own default, C(sum).
    type: str
  env:
    description:
      - Variables for the test, such as V(NCCL_DEBUG) or V(LD_LIBRARY_PATH). Nothing else of the caller's environment is
        seen by it.
    type: dict
    default: {}
  launcher:
    description:
      - Words before the program that start it on several nodes, such as V([mpirun, -np, "16", --hostfile, hosts]). Each
        process then has one GPU. The programs must have been made with MPI.
    type: list
    elements: str
    default: []
  min_bus_bandwidth:
    description:
      - GB/s that the largest size must reach, in place and out of place. Take it from a first run on such hardware, or
        from P(gpufleet.nvidia.nccl_threshold#filter). Without it only wrong values fail.
    type: float
  allow_busy:
    description: Measure although programs use the GPUs.
    type: bool
    default: false
  json:
    description: Read the program's JSON where its version can write it. V(false) reads its text.
    type: bool
    default: true
  processors:
    description: Compilers that run at once.
    type: int
    default: 4
  timeout:
    description: Seconds that the build, and then the test, may take.
    type: int
    default: 600
requirements:
  - nccl-tests, a CUDA toolkit and NCCL on the host
seealso:
  - module: gpufleet.nvidia.nccl_processes
"""

EXAMPLES = r"""
- name: Two GPUs must exchange at least 280 GB/s
  gpufleet.nvidia.nccl_test:
    binaries: /opt/nccl-tests/build
    gpus: 2
    min_bus_bandwidth: 280

- name: Bring the source
  ansible.builtin.copy:
    src: files/nccl-tests-2.19.6.tar.gz
    dest: /var/cache/nccl-tests-2.19.6.tar.gz
    mode: "0644"

- name: Make it for H200 and measure all of the host's GPUs
  gpufleet.nvidia.nccl_test:
    source:
      src: /var/cache/nccl-tests-2.19.6.tar.gz
      sha256: "{{ nccl_tests_sha256 }}"
      capabilities: ["9.0"]
    gpus: "{{ ansible_facts['nvidia'].gpus | length }}"
  register: measured

- name: Show what the largest size reached
  ansible.builtin.debug:
    msg: "{{ measured.largest.bus_bandwidth }} GB/s"
"""

RETURN = r"""
measured:
  description: Whether the test ran; it does not in check mode.
  returned: success
  type: bool
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
rows:
  description:
    - A row for each size, with C(size) in bytes, C(count), C(type), and C(out_of_place) and C(in_place), each with
      C(time_us), C(algorithm_bandwidth) and C(bus_bandwidth) in GB/s, and C(wrong).
  returned: when measured
  type: list
  elements: dict
largest:
  description: C(size) and C(bus_bandwidth) of the largest size, the lower one of in place and out of place.
  returned: when measured
  type: dict
  sample: {size: 1073741824, bus_bandwidth: 326.9}
wrong:
  description: How many values were wrong.
  returned: when measured
  type: int
average_bus_bandwidth:
  description: The program's own average over all sizes, in GB/s. It says little.
  returned: when measured
  type: float
devices:
  description: The GPUs that took part.
  returned: when measured
  type: list
  elements: dict
nccl_version:
  description: The NCCL that the program has loaded.
  returned: when measured
  type: str
  sample: 2.28.9
command:
  description: The command that was run.
  returned: when measured
  type: list
  elements: str
problems:
  description: Why the test counts as failed, as sentences. The module fails when there are any.
  returned: when measured
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nccl_test
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "binaries": {"type": "path"},
    "source": {
        "type": "dict",
        "options": {
            "src": {"type": "path", "required": True},
            "sha256": {"type": "str", "required": True},
            "folder": {"type": "path", "default": "/var/cache/gpufleet/nccl-tests"},
            "cuda_home": {"type": "path", "default": "/usr/local/cuda"},
            "nccl_home": {"type": "path"},
            "capabilities": {"type": "list", "elements": "str", "default": []},
            "mpi": {"type": "bool", "default": False},
            "mpi_home": {"type": "path"},
        },
    },
    "collective": {
        "type": "str",
        "choices": [
            "all_reduce",
            "all_gather",
            "reduce_scatter",
            "alltoall",
            "broadcast",
            "reduce",
            "sendrecv",
            "gather",
            "scatter",
            "hypercube",
        ],
        "default": "all_reduce",
    },
    "gpus": {"type": "int", "default": 1},
    "devices": {"type": "list", "elements": "str", "default": []},
    "min_bytes": {"type": "str", "default": "8M"},
    "max_bytes": {"type": "str", "default": "1G"},
    "factor": {"type": "int", "default": 2},
    "iterations": {"type": "int", "default": 20},
    "warmup": {"type": "int", "default": 5},
    "datatype": {"type": "str", "default": "float"},
    "operation": {"type": "str"},
    "env": {"type": "dict", "default": {}},
    "launcher": {"type": "list", "elements": "str", "default": []},
    "min_bus_bandwidth": {"type": "float"},
    "allow_busy": {"type": "bool", "default": False},
    "json": {"type": "bool", "default": True},
    "processors": {"type": "int", "default": 4},
    "timeout": {"type": "int", "default": 600},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(
        ARGUMENT_SPEC,
        supports_check_mode=True,
        required_one_of=[("binaries", "source")],
        mutually_exclusive=[("binaries", "source")],
    )
    try:
        result = _nccl_test.ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    if result.get("problems"):
        module.fail_json(msg=" ".join(result["problems"]), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
