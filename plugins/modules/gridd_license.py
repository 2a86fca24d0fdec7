#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for the licence of a vGPU guest, or says why it does not come."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gridd_license
short_description: Waits until every virtual GPU has its licence
version_added: 0.1.0
description:
  - Asks the driver, not the daemon. A running nvidia-gridd is no licence, and a guest without one looks healthy for
    twenty minutes.
  - When the licence does not come in time, it fails with the cause as a code, what to do, and the daemon's own words.
  - A GPU that needs no licence (passed through, with a data-centre driver) is no failure, unless O(addresses) names it.
  - Changes nothing. In check mode it looks once and does not fail for a licence, because the tasks before it have only
    been predicted.
options:
  state:
    description:
      - V(licensed) wants a licence on every GPU that needs one, V(unlicensed) that none is held any more, V(queried)
        only tells.
    type: str
    choices: [licensed, unlicensed, queried]
    default: licensed
  timeout:
    description: Seconds to wait. V(0) looks once.
    type: int
    default: 60
  interval:
    description: Seconds between two looks.
    type: int
    default: 2
  min_remaining:
    description:
      - Seconds for which the licence must be valid still. Leases of a day are usual, and are renewed long before their
        end, so this is for noticing that they are not.
    type: int
    default: 0
  addresses:
    description: PCI addresses of the GPUs to look at. An empty list means all.
    type: list
    elements: str
    default: []
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: linux
seealso:
  - module: gpufleet.nvidia.gridd_facts
  - module: gpufleet.nvidia.gridd_token
"""

EXAMPLES = r"""
- name: Go on only with a licence
  gpufleet.nvidia.gridd_license:

- name: Notice leases that are not renewed
  gpufleet.nvidia.gridd_license:
    timeout: 0
    min_remaining: 3600

- name: Wait until the licence is given back
  gpufleet.nvidia.gridd_license:
    state: unlicensed
"""

RETURN = r"""
state:
  description: The worst state of the GPUs, as M(gpufleet.nvidia.gridd_facts) tells it.
  returned: always
  type: str
  sample: licensed
gpus:
  description: The GPUs with their licences, as M(gpufleet.nvidia.gridd_facts) tells them.
  returned: always
  type: list
  elements: dict
remaining_s:
  description: Seconds until the first licence ends. V(null) where none does.
  returned: always
  type: int
waited_s:
  description: Seconds that were waited.
  returned: always
  type: int
cause:
  description: Why there is no licence, as a code. V(null) where there is one, or none is needed.
  returned: always
  type: str
  sample: token_missing
hint:
  description: What to do about it.
  returned: always
  type: str
line:
  description: The daemon's own words, where it has said something of it.
  returned: always
  type: str
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nvml
from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver import observe_loaded
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_wait import ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["licensed", "unlicensed", "queried"], "default": "licensed"},
    "timeout": {"type": "int", "default": 60},
    "interval": {"type": "int", "default": 2},
    "min_remaining": {"type": "int", "default": 0},
    "addresses": {"type": "list", "elements": "str", "default": []},
}
PATIENCE = 60  # seconds that NVML may take


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    system = ModuleSystem(module)
    loaded = observe_loaded(system)

    def nvml():
        answer, rows, _partial = _nvml.observe(system, [], loaded, PATIENCE)
        return answer["available"], rows

    version = loaded["version"] if loaded else None
    try:
        clocks = (time.time, time.monotonic, time.sleep)
        result = ensure(module.params, system, nvml, version, *clocks, apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc), **getattr(exc, "details", {}))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
