# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key or a certificate, whether a variable holds it or names its file on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
name: key_material
short_description: Reads a key or certificate that a variable holds, or that a file on the controller holds
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Text in PEM is given back as it is, and so is DER in base64. Anything else is taken for a path on the controller,
    searched for like those of other lookups (folder C(files)); a file that Ansible Vault has encrypted is decrypted.
  - A file with DER is given back in base64, as P(gpufleet.nvidia.mok_key#module) and P(gpufleet.nvidia.mok#module) take
    it.
options:
  _terms:
    description: Contents or paths.
    required: true
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Deliver the site's key
  gpufleet.nvidia.mok_key:
    private_key_content: "{{ lookup('gpufleet.nvidia.key_material', 'vault/site-signing.key') }}"
    certificate_content: "{{ lookup('gpufleet.nvidia.key_material', 'site-signing.der') }}"
"""

RETURN = r"""
_raw:
  description: PEM, or DER in base64.
  type: list
  elements: str
"""

import base64
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

LONG = 200  # characters; a path is shorter than a certificate in base64


def _is_content(text: str) -> bool:
    return "-----BEGIN " in text or (len(text) > LONG and "\n" not in text.strip() and "." not in text)


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return [term if _is_content(term) else self._read(term, variables) for term in map(str, terms)]

    def _read(self, path, variables):
        found = self.find_file_in_search_path(variables, "files", path, ignore_missing=True)
        if not found:
            raise AnsibleError(
                f"The key or certificate {path} is not on the controller (neither there nor in a folder files beside"
                " the playbook or role). Name its path, or put its content into the variable."
            )
        plain = self._loader.get_real_file(found)
        try:
            data = Path(plain).read_bytes()
        finally:
            self._loader.cleanup_tmp_file(plain)  # the decrypted copy, where the file was encrypted
        return data.decode() if data.lstrip().startswith(b"-----BEGIN ") else base64.b64encode(data).decode()
