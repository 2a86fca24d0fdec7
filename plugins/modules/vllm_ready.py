#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until vLLM servers truly serve, or says why one does not."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vllm_ready
short_description: Waits until vLLM servers answer a real request, or says why one does not
version_added: 0.1.0
description:
  - A server that runs may have no listener, another model, or an engine that is dead. This one is ready when
    C(/health) answers, C(/v1/models) has the served name, and one real request of its kind gets a real answer.
  - Fails at once when the process has ended, with the decisive line of its journal, the cause as a code, and what to
    do. It does not wait for the next try of systemd, which would end alike.
  - Changes nothing. In check mode nothing is asked, because the start before it was only predicted.
options:
  instances:
    description: The servers; all of them are waited for at the same time.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The instance's name, and so that of its unit C(vllm@NAME.service). Without a unit it is only asked.
        type: str
        required: true
      url:
        description: Where it answers, such as V(http://127.0.0.1:8000).
        type: str
        required: true
      route:
        description: The route of the real request.
        type: str
        choices: [/v1/completions, /v1/embeddings, /classify, /score, /rerank, /pooling]
        default: /v1/completions
      served_name:
        description: The name that requests use; without one that of the instance.
        type: str
      api_key:
        description: The key that it asks for.
        type: str
  timeout:
    description: Seconds to wait for all of them.
    type: int
    default: 1800
  request_timeout:
    description: Seconds that one request may take. The first one of a server may compile something.
    type: int
    default: 60
  interval:
    description: Seconds between two looks.
    type: int
    default: 2
  validate_certs:
    description: Whether a server with TLS must have a certificate that this host trusts.
    type: bool
    default: true
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
  - module: gpufleet.nvidia.vllm_instances
"""

EXAMPLES = r"""
- name: Wait for a chat model and a reranker
  gpufleet.nvidia.vllm_ready:
    instances:
      - name: llm
        url: http://127.0.0.1:58001
        served_name: Qwen2.5
        api_key: "{{ vault_key }}"
      - name: reranker
        url: http://127.0.0.1:58003
        route: /rerank
        api_key: "{{ vault_key }}"
"""

RETURN = r"""
instances:
  description:
    - By instance, C(waited_s), the seconds until it served, and C(ready_s), the seconds from the start of its process
      to its first healthy answer, or null where systemd does not know.
  returned: success
  type: dict
  sample: {llm: {ready_s: 41.2, waited_s: 43.0}}
cause:
  description: Why a server has ended, as a code.
  returned: failure
  type: str
  sample: driver_too_old
line:
  description: The line of the journal that says so.
  returned: failure
  type: str
hint:
  description: What to do.
  returned: failure
  type: str
lacking:
  description: What a server did not answer when it was last asked.
  returned: failure
  type: str
"""

import ssl
import time
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_ready import Answer, ensure

ARGUMENT_SPEC = {
    "instances": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "url": {"type": "str", "required": True},
            "route": {
                "type": "str",
                "choices": ["/v1/completions", "/v1/embeddings", "/classify", "/score", "/rerank", "/pooling"],
                "default": "/v1/completions",
            },
            "served_name": {"type": "str"},
            "api_key": {"type": "str", "no_log": True},
        },
    },
    "timeout": {"type": "int", "default": 1800},
    "request_timeout": {"type": "int", "default": 60},
    "interval": {"type": "int", "default": 2},
    "validate_certs": {"type": "bool", "default": True},
}
LONGEST = 1 << 20


def requester(validate):
    """What :func:`_vllm_ready.ensure` asks servers with; no proxy stands between a host and itself."""
    context = ssl.create_default_context()
    if not validate:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))

    def http(method, url, key, body, seconds):
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        asked = Request(url, None if body is None else body.encode(), headers, method=method)
        try:
            with opener.open(asked, timeout=seconds) as answer:
                return Answer(answer.status, answer.read(LONGEST).decode("utf-8", "replace"))
        except HTTPError as exc:
            return Answer(exc.code, exc.read(LONGEST).decode("utf-8", "replace"))
        except (URLError, OSError, ValueError) as exc:
            return Answer(None, str(getattr(exc, "reason", exc)))

    return http


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    http = requester(module.params["validate_certs"])
    try:
        clocks = (time.monotonic, time.sleep)
        result = ensure(module.params, ModuleSystem(module), http, *clocks, apply=not module.check_mode)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc), **getattr(exc, "details", {}))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
