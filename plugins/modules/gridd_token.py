#!/usr/bin/python
# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a vGPU guest's client configuration token in place, once it has been looked at."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gridd_token
short_description: The client configuration token of a vGPU guest
version_added: 0.1.0
description:
  - Keeps exactly one token in the licensing daemon's folder, byte by byte as the licence service gave it, with the
    owner and mode that NVIDIA documents.
  - The folder belongs to root and root's group, and nobody else may write it. A token's group is root's as well.
  - A token is looked at before anything is changed. A web page (a portal's log-in page that was saved), a file that is
    cut off or has bytes after its end, a token for somebody else, one that names no service, and one that has expired
    or is not valid yet by the host's own clock are refused, and the token that works stays.
  - A token for another service instance than the one on the host is refused as well, unless it is named.
  - Its claims are read, not believed. Whether it is genuine only the licence service knows.
  - A token is a secret. It is in no result and no difference, and is never given to another program.
  - The daemon reads it when it starts. Restart it when RV(restart_required) says so.
options:
  state:
    description: Whether a token is to be there. V(absent) removes all of them, or with O(name) that one.
    type: str
    choices: [present, absent]
    default: present
  src:
    description:
      - A file on the controller, looked up like the files of a role; it may be encrypted with Ansible Vault. With
        O(remote_src) a path on the host, such as one on a mounted share.
      - Exactly one of O(src), O(url) and O(content) is needed with O(state=present).
    type: str
  remote_src:
    description: O(src) is a path on the host.
    type: bool
    default: false
  url:
    description:
      - An C(https) address that the host fetches the token from. The certificate is always checked.
      - The file is named after the address, and fetched again only when it is not there or does not work any more.
    type: str
  ca_path:
    description: A file on the host with the certificates (PEM) of a private authority, for O(url).
    type: path
  refresh:
    description:
      - V(always) fetches O(url) in every run. Where a service makes a new token each time, each run changes it then.
    type: str
    choices: [missing, always]
    default: missing
  timeout:
    description: Seconds that fetching may take.
    type: int
    default: 60
  content:
    description: The token itself, from a vault. Blanks and line ends around it are left out.
    type: str
  service_instance:
    description:
      - The service instance that the token must be for, as RV(claims.service_instance) tells it. Without it every one
        is taken on a host that has no working token.
    type: str
  folder:
    description: The daemon's folder of tokens.
    type: path
    default: /etc/nvidia/ClientConfigToken
  name:
    description:
      - Name of the file in O(folder), which ends in C(.tok). Without it the name of O(src), or one after O(url) or the
        token's identity. A file with the same bytes keeps its name.
    type: str
  owner:
    description: User that the file belongs to, by name or number.
    type: str
    default: root
  mode:
    description: Permissions as an octal number in quotes; the default is what NVIDIA documents.
    type: str
    default: "0744"
  exclusive:
    description: Remove all other tokens of the folder. The daemon takes one, and nobody documents which.
    type: bool
    default: true
  transferred:
    description: The controller's file, as the action plugin hands it on. Not for playbooks.
    type: str
author: [gpufleet.nvidia contributors (@gpufleet)]
extends_documentation_fragment: [gpufleet.nvidia.attributes]
attributes:
  check_mode:
    support: full
    details: In check mode nothing is fetched from O(url), so that a wrong token there shows only later.
  diff_mode:
    support: full
    details: The difference has paths, digests, modes and owners.
  platform:
    platforms: linux
seealso:
  - module: gpufleet.nvidia.gridd
  - module: gpufleet.nvidia.gridd_license
"""

EXAMPLES = r"""
- name: A token from the controller, encrypted with Ansible Vault
  gpufleet.nvidia.gridd_token:
    src: client_configuration_token_04-22-2026-15-14-46.tok

- name: A token from a share that the guests mount
  gpufleet.nvidia.gridd_token:
    src: /mnt/shared/nv/client_configuration_token_04-22-2026-15-14-46.tok
    remote_src: true

- name: A token from the site's own server, whose certificate is by the site's own authority
  gpufleet.nvidia.gridd_token:
    url: https://files.example.com/nvidia/client_configuration_token.tok
    ca_path: /etc/ssl/certs/site.pem

- name: No token any more
  gpufleet.nvidia.gridd_token:
    state: absent
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
path:
  description: The file. V(null) with O(state=absent).
  returned: success
  type: str
claims:
  description: What the token says of itself. V(null) where it has not been fetched yet, and with O(state=absent).
  returned: success
  type: dict
  contains:
    jti:
      description: The token's identity.
      type: str
      returned: success
    iss:
      description: Who made it.
      type: str
      returned: success
    aud:
      description: Whom it is for.
      type: str
      returned: success
    issued:
      description: When it was made, ISO 8601.
      type: str
      returned: success
    not_before:
      description: When it begins to be valid, ISO 8601.
      type: str
      returned: success
    expires:
      description: When it ends, ISO 8601.
      type: str
      returned: success
    service_instance:
      description: The licence service's identity.
      type: str
      returned: success
    nodes:
      description: Addresses of the licence service.
      type: list
      elements: str
      returned: success
removed:
  description: Files of other tokens that were removed, or would be.
  returned: success
  type: list
  elements: str
restart_required:
  description: Whether the daemon has to be restarted to know it.
  returned: success
  type: bool
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_token_place
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_token import LIMIT, read
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_token_source import STAYS, shown_address
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "src": {"type": "str"},
    "remote_src": {"type": "bool", "default": False},
    "url": {"type": "str"},
    "ca_path": {"type": "path"},
    "refresh": {"type": "str", "choices": ["missing", "always"], "default": "missing"},
    "timeout": {"type": "int", "default": 60},
    "content": {"type": "str", "no_log": True},
    "service_instance": {"type": "str"},
    "folder": {"type": "path", "default": "/etc/nvidia/ClientConfigToken"},
    "name": {"type": "str"},
    "owner": {"type": "str", "default": "root"},
    "mode": {"type": "str", "default": "0744"},
    "exclusive": {"type": "bool", "default": True},
    "transferred": {"type": "str", "no_log": True},
}


def fetch(url, ca_path, timeout):
    """The bytes at an address.

    :raises NvidiaError: with the address without what may be a secret, for every failure and for a web page
    """
    shown = shown_address(url)
    try:
        answer = open_url(url, timeout=timeout, ca_path=ca_path, validate_certs=True, http_agent="gpufleet.nvidia")
        data, came_from = answer.read(LIMIT + 1), shown_address(answer.geturl())
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", None) or getattr(exc, "strerror", None) or type(exc).__name__
        code = getattr(exc, "code", None)
        reason = f"{code} {reason}" if code else reason
        raise NvidiaError(f"The token could not be fetched from {shown}: {reason}. {_advice(exc)} {STAYS}") from exc
    if not came_from.lower().startswith("https://"):
        raise NvidiaError(f"{shown} leads to {came_from}, which is no https address. Give one that is. {STAYS}")
    if came_from != shown and read(data).code == "html":
        raise NvidiaError(
            f"{shown} leads to {came_from}, which is a web page: most likely one to log in. Download the token "
            f"there as a person, and give it with src. {STAYS}"
        )
    return data


def _advice(exc):
    code = getattr(exc, "code", None)
    if "CERTIFICATE_VERIFY_FAILED" in str(getattr(exc, "reason", "")) + str(exc):
        return "Name the file with the authority's certificates in ca_path, and look at the host's clock."
    if code in (401, 403):
        return "The server wants a log-in: download the token as a person, and give it with src."
    return "Check the address, and whether the host reaches it."


def main():
    """Runs as an Ansible module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    system, apply = ModuleSystem(module), not module.check_mode
    try:
        result = _gridd_token_place.ensure(module.params, system, fetch, time.time(), apply=apply)
    except NvidiaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
