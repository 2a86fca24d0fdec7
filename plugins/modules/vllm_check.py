#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks an installed vLLM's own parser whether it takes command lines, before a service is touched."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vllm_check
short_description: An installed vLLM's own parser looks at command lines
version_added: 0.1.0
description:
  - Loads the parser of C(vllm serve) from an environment and gives it command lines. Options that this release does
    not have, values that it does not take and variables that it does not know are found before a running server is
    touched.
  - Nothing is started, no GPU, model or port is used. It takes as long as vLLM takes to load, ten seconds or so, for
    all lines together.
  - Parsers let some things pass that the server then dies of, such as a port of 99999. Those are refused by
    P(gpufleet.nvidia.vllm_serve_plan#filter).
options:
  python:
    description: The interpreter of the environment.
    type: str
    required: true
  command_lines:
    description: The command lines.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: A name for the findings.
        type: str
        required: true
      argv:
        description: What stands behind C(vllm); the word C(serve) at its beginning may be left out.
        type: list
        elements: str
        required: true
      environment:
        description: Variables that are set for it, values by name. No secrets are needed for this.
        type: dict
        default: {}
  timeout:
    description: Seconds that all of it may take.
    type: int
    default: 300
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
    details: Where the environment is not there yet, nothing is asked and nothing found.
  diff_mode:
    support: none
  platform:
    platforms: linux
seealso:
  - module: gpufleet.nvidia.vllm_environment
"""

EXAMPLES = r"""
- name: Would the next release take what is served now?
  gpufleet.nvidia.vllm_check:
    python: /opt/vllm/env-0.22.1/bin/python
    command_lines:
      - name: llm
        argv: [serve, /srv/models/qwen, --served-model-name, qwen, --tensor-parallel-size, "2"]
"""

RETURN = r"""
findings:
  description:
    - What was found, by the names of the lines, each with C(severity) (C(error) or C(warning)), C(code), C(text) and
      C(source). A line without any is taken.
  returned: success
  type: dict
  sample:
    llm:
      - severity: error
        code: vllm_command_line
        text: "Instance llm: the installed vLLM does not take its command line: unrecognized arguments: --task embed."
        source: parser of vLLM 0.22.1
ok:
  description: Whether there is no error among them.
  returned: success
  type: bool
  sample: false
asked:
  description: Whether a parser was asked. It is not for an empty list, and in check mode before the installation.
  returned: success
  type: bool
  sample: true
version:
  description: What the installed vLLM says of itself, or null when it was not asked.
  returned: success
  type: str
  sample: 0.22.1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_check import ensure

ARGUMENT_SPEC = {
    "python": {"type": "str", "required": True},
    "command_lines": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "argv": {"type": "list", "elements": "str", "required": True},
            "environment": {"type": "dict", "default": {}},
        },
    },
    "timeout": {"type": "int", "default": 300},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = ensure(module.params, ModuleSystem(module), apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
