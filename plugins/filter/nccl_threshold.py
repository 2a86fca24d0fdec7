# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.nccl_threshold."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nccl_threshold
short_description: Says which bus bandwidth the GPUs of a host must reach together
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Looks up what such a host was measured with, by its boards, their number and their links, and takes most of it as
    the threshold for an all_reduce at 1 GiB.
options:
  _input:
    description: The facts that P(gpufleet.nvidia.gpu_facts#module) sets, C(ansible_facts['nvidia']).
    type: dict
    required: true
  gpus:
    description: How many GPUs take part. Without it, all of the host's.
    type: int
"""

EXAMPLES = r"""
- name: Measure, and fail where such hosts are known to be faster
  gpufleet.nvidia.nccl_test:
    binaries: /opt/nccl-tests/build
    gpus: "{{ ansible_facts['nvidia'].gpus | length }}"
    min_bus_bandwidth: "{{ ansible_facts['nvidia'] | gpufleet.nvidia.nccl_threshold or omit }}"
"""

RETURN = r"""
_value:
  description: GB/s, or V(null) where no such host was measured.
  type: float
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.nccl_threshold import nccl_threshold


class FilterModule:
    def filters(self):
        return {"nccl_threshold": nccl_threshold}
