#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vGPU licence's part of the facts, for people who want no more than that."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gridd_facts
short_description: Finds out whether a vGPU guest has its licence, and why not
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - The subset V(gridd) of M(gpufleet.nvidia.gpu_facts) with what it needs. It gives the same values at the same places.
  - Reads gridd.conf, the tokens' claims, the licensing daemon's unit and its journal, who sets the clock, and each
    GPU's licence through NVML. Only where NVML cannot tell, C(nvidia-smi -q) is asked.
  - A token never leaves the host. Of its claims those are given that people need.
  - A running daemon is no licence. What counts is what the driver says of each GPU.
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
  - module: gpufleet.nvidia.gridd_license
"""

EXAMPLES = r"""
- name: Read the licence's state
  gpufleet.nvidia.gridd_facts:

- name: Say it
  ansible.builtin.debug:
    msg: "{{ ansible_facts['nvidia'].gridd.state }}: {{ ansible_facts['nvidia'].gridd.cause }}"
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
        gridd:
          description: The licence of a vGPU guest, and all that it depends on.
          type: dict
          returned: always
          contains:
            present:
              description: Whether there is a licensing daemon, or its configuration.
              type: bool
              returned: always
            state:
              description:
                - The worst state of all GPUs, V(licensed), V(unlicensed), V(unlicensed_restricted),
                  V(unlicensed_unrestricted) (still in its first minutes) or V(unknown); V(not_applicable) where no GPU
                  needs a licence, as with a passed-through GPU and a data-centre driver.
              type: str
              returned: always
            cause:
              description:
                - Why there is no licence, with C(code) (V(token_missing), V(token_invalid), V(token_expired),
                  V(clock_skew), V(no_entitlement), V(server_unreachable), V(tls_failed), V(service_stopped),
                  V(feature_mismatch), V(driver_too_old), V(unknown)), C(hint) and C(line), the daemon's own words.
              type: dict
              returned: always
            gpus:
              description:
                - C(address), C(uuid), C(product), C(virtualization_mode), C(profile) with C(name), C(series) and
                  C(framebuffer_gb), and C(license) with C(state) (also V(expired)), C(product), C(expires) (ISO 8601),
                  C(remaining_s), C(permanent) and C(source). C(license) is null where the GPU needs none.
              type: list
              elements: dict
              returned: always
            conf:
              description:
                - gridd.conf with C(path), C(exists), C(values), C(unknown) keys, C(legacy) keys with a value,
                  C(duplicates), and C(errors) with C(line) and C(text).
              type: dict
              returned: always
            tokens:
              description:
                - Each file that is meant as a token, with C(path), C(mode), C(owner), C(sha256), C(valid) and C(reason)
                  (its shape and audience), C(jti), C(aud), C(issued), C(not_before), C(expires), C(expired) by this
                  host's clock, C(service_instance), C(nodes) (addresses of the licence service) and C(trailing_bytes).
              type: list
              elements: dict
              returned: always
            service:
              description:
                - The unit with C(present), C(ours) (whether role vgpu_guest has written one), C(enabled), C(active),
                  C(sub), C(pid) and C(since).
              type: dict
              returned: always
            clock:
              description:
                - C(synchronized), C(source) (V(chrony), V(timesyncd), V(ntp)), C(offset_s) where chrony tells it, and
                  C(now).
              type: dict
              returned: always
            last_event:
              description:
                - The daemon's last words on a licence since this boot, with C(code), C(text) and C(time). Beside the
                  causes the codes are V(licensed), V(unlicensed) and V(conf_missing).
              type: dict
              returned: always
            restart_pending:
              description: gridd.conf or a token was written after the daemon began, so that it does not know them.
              type: bool
              returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._facts import probe
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {"timeout": {"type": "int", "default": 60}}


def main():
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = probe(ModuleSystem(module), ["gridd"], module.params["timeout"])
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
