#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of Hugging Face and ModelScope in one managed folder, whole, pinned and hashed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vllm_model
short_description: Models of Hugging Face, of ModelScope or of a path, whole, pinned and hashed
version_added: 0.1.0
description:
  - Has models in one folder that all instances share, and tells what is there, as the filter
    P(gpufleet.nvidia.vllm_serve_plan#filter) wants to know it.
  - A model is fetched to a folder beside its own, hashed, compared with the checksums of the hub and of
    O(models[].sha256), and only then moved into place. A model in its place is always whole; a server that has it
    open keeps serving the old one. Files that a failed run has fetched are kept, and the next run goes on from there;
    whether it goes on within a file is up to the hub's library.
  - The commit that was fetched, and the size and SHA-256 of every file, are kept in the model's folder in
    C(.gpufleet-model.json). A run that finds all files in their size fetches nothing and needs no network.
  - On the host, C(FOLDER/.gpufleet/download.log) gets a line every ten seconds of a download, with how much has
    arrived, of how much and how fast. The last line is shown here while the task waits. A download runs on the host by
    itself, so that a connection that breaks does not end it.
  - The libraries of an environment (O(python)) fetch. A token reaches them on standard input, never on a command line.
options:
  models:
    description: The models. A name may be listed only once.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name on the hub (V(OWNER/NAME)), or a path on the host, which is only looked at.
        type: str
        required: true
      source:
        description: Where it comes from. A name that begins with C(/) is a path in any case.
        type: str
        choices: [huggingface, modelscope, path]
        default: huggingface
      revision:
        description:
          - The commit, tag or branch. A branch is looked up once and stays at its commit until O(refresh).
          - Without one the hub's own first choice is fetched, and a model that somebody put at the place is taken as it
            is.
        type: str
      path:
        description: Its folder on the host. Without it C(FOLDER/NAME).
        type: str
      sha256:
        description:
          - SHA-256 of files by their names, to hold what is there against. Those of a path are hashed in every run,
            those of a fetched model when they were fetched.
        type: dict
        default: {}
      files:
        description:
          - Patterns of the files to fetch, such as V(*.safetensors) and V(*.json).
          - Without any, all are fetched, and beside safetensors no weights in other formats.
        type: list
        elements: str
        default: []
  folder:
    description: The folder of the models. The service's user must be able to read it.
    type: str
    default: /var/lib/vllm/models
  python:
    description:
      - Interpreter of an environment with huggingface_hub, which vLLM brings, or modelscope. Needed only when something
        is fetched.
    type: str
  token:
    description: Token for Hugging Face.
    type: str
  modelscope_token:
    description: Token for ModelScope.
    type: str
  endpoint:
    description: Address of a mirror of Hugging Face.
    type: str
  modelscope_endpoint:
    description: Address of another ModelScope.
    type: str
  offline:
    description: Fetches nothing; a model that would have to be fetched is a failure, which names all of them.
    type: bool
    default: false
  refresh:
    description: Asks the hub whether a branch means another commit now, and fetches what changed.
    type: bool
    default: false
  verify:
    description: Hashes all files of fetched models again, and fetches those that changed.
    type: bool
    default: false
  timeout:
    description: Seconds that the download of one model may take.
    type: int
    default: 86400
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
    details: Of a model that would be fetched only the path is told, as nothing else is known.
  diff_mode:
    support: full
  platform:
    platforms: linux
seealso:
  - module: gpufleet.nvidia.vllm_environment
"""

EXAMPLES = r"""
- name: A model at a commit, and two of ModelScope
  gpufleet.nvidia.vllm_model:
    python: /opt/vllm/current/bin/python
    token: "{{ vault_hugging_face_token }}"
    models:
      - name: Qwen/Qwen2.5-72B-Instruct-AWQ
        revision: 698703eac6604048def056d2010dc679495dbc72
      - name: maidalun/bce-embedding-base_v1
        source: modelscope
      - name: BAAI/bge-reranker-v2-m3
        source: modelscope
        files: ["*.json", "*.safetensors", "*.model"]

- name: Is what was copied here whole?
  gpufleet.nvidia.vllm_model:
    models:
      - name: /srv/models/qwen2.5-72b-instruct-awq
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["Fetch BAAI/bge-m3 from ModelScope to /var/lib/vllm/models/BAAI/bge-m3 for the first time"]
models:
  description:
    - What is known of each model, by its name. C(exists), C(path), C(config) (the content of C(config.json) or null),
      C(missing) (names of files that are not there or not whole), C(bytes) (of the weights that vLLM loads) and
      C(revision) (the commit; of ModelScope, which tells none, C(files-) and a digest of the list of files; or null).
    - In check mode a model that would be fetched has C(path) alone.
  returned: success
  type: dict
  sample:
    BAAI/bge-reranker-v2-m3:
      exists: true
      path: /var/lib/vllm/models/BAAI/bge-reranker-v2-m3
      config: {architectures: [XLMRobertaForSequenceClassification]}
      missing: []
      bytes: 2271071852
      revision: 953dc6f6f85a1b2dbfca4c34a2796e7dde08d41e
log:
  description: The log of downloads on the host.
  returned: success
  type: str
  sample: /var/lib/vllm/models/.gpufleet/download.log
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_model import ensure

ARGUMENT_SPEC = {
    "models": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "source": {"type": "str", "choices": ["huggingface", "modelscope", "path"], "default": "huggingface"},
            "revision": {"type": "str"},
            "path": {"type": "str"},
            "sha256": {"type": "dict", "default": {}},
            "files": {"type": "list", "elements": "str", "default": []},
        },
    },
    "folder": {"type": "str", "default": "/var/lib/vllm/models"},
    "python": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "modelscope_token": {"type": "str", "no_log": True},
    "endpoint": {"type": "str"},
    "modelscope_endpoint": {"type": "str"},
    "offline": {"type": "bool", "default": False},
    "refresh": {"type": "bool", "default": False},
    "verify": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 86400},
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
