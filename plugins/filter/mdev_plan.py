# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Door to plugin_utils.mdev_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: mdev_plan
short_description: Decides which card of which host carries which virtual GPU
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes the facts of one vGPU host or of many and what is asked for, and gives one plan. Nothing touches a host.
  - Knows that a card has vGPUs of one size at a time unless it is in mixed-size (heterogeneous) mode, what the maxima
    of that mode are, how GPU instances of MIG fit a card, and that older drivers want one type on a card.
  - Devices that a host has stay where they are. They count for a request by their UUID, which is made of host, request
    and number, or by their type. The same facts and requests give the same plan.
positional: _input, requests
options:
  _input:
    description: The facts by host, C({host - ansible_facts['nvidia']}); the part C(mdev) of them will do.
    type: dict
    required: true
  requests:
    description:
      - A list of dictionaries with C(name), C(profile) (or C(framebuffer_gb) and C(series)) and C(count). They may have
        C(anti_affinity) (V(card) or V(host)), C(policy), C(hosts) and C(cards) to choose from, and C(parameters).
      - Or a dictionary with C(vgpu-configs), the shape of NVIDIA's vgpu-device-manager.
    type: raw
    required: true
  policy:
    description: V(pack) fills a card before it takes the next. V(spread) takes the emptiest host and card first.
    type: str
    choices: [pack, spread]
    default: pack
  mode:
    description:
      - V(auto) mixes sizes on a card only where nothing else fits, the card can, and no vGPU runs there. V(equal) never
        does, and V(mixed) at once.
    type: str
    choices: [auto, equal, mixed]
    default: auto
  config:
    description: The name below C(vgpu-configs). V(default) where it is left out.
    type: str
  purge:
    description: Whether the devices that no request has make room. Give the same to M(gpufleet.nvidia.mdev).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Two desktops and a machine for computing, on this host
  ansible.builtin.debug:
    msg: "{{ {inventory_hostname: ansible_facts['nvidia']} | gpufleet.nvidia.mdev_plan(requests) }}"
  vars:
    requests:
      - {name: desktops, profile: GRID P4-2Q, count: 2}
      - {name: compute, framebuffer_gb: 8, series: C, count: 1}

- name: Four devices on four hosts of the group
  ansible.builtin.debug:
    msg: "{{ facts | gpufleet.nvidia.mdev_plan(requests, policy='spread') }}"
  vars:
    hosts: "{{ groups['vgpu_hosts'] }}"
    facts: "{{ dict(hosts | zip(hosts | map('extract', hostvars, ['ansible_facts', 'nvidia']))) }}"
    requests:
      - {name: workers, profile: NVIDIA A16-4Q, count: 4, anti_affinity: host}
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    assignments:
      description:
        - Each device with C(request), C(index), C(action) (V(keep), V(create) or V(replace)), C(host), C(card),
          C(parent) (V(null) until its function is there), C(uuid), C(type) (its id there), C(name) and C(parameters).
      type: list
      elements: dict
    devices:
      description: By host the rows for O(gpufleet.nvidia.mdev#module:devices).
      type: dict
    changes:
      description:
        - What has to be done first, in order, each with C(host), C(card), C(change) (V(sriov), V(mig_mode),
          V(heterogeneous) or V(gpu_instances)) and C(text).
      type: list
      elements: dict
    unplaced:
      description: What has no place, by request, with C(count), C(fits), C(of) and the C(reason), card by card.
      type: list
      elements: dict
    surplus:
      description: Devices that no request has. They stay unless O(purge) is asked for.
      type: list
      elements: dict
    usage:
      description: Each card with C(mode), the C(types) that it will have, C(used_mib) and C(memory_mib).
      type: list
      elements: dict
    findings:
      description: What a person must know, errors first, each with C(severity), C(code), C(text) and C(source).
      type: list
      elements: dict
    idle:
      description: Whether all is as asked for.
      type: bool
"""

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_plan import mdev_plan


class FilterModule:
    def filters(self):
        return {"mdev_plan": mdev_plan}
