# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One digest of what all roles of this collection are given for a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: role_inputs
short_description: One digest of all that this collection's roles are given for a host
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Takes every option of every role of this collection, templated, or its default where the variable is not in scope,
    and makes one digest of them. It is the same for a play as for each of its roles, because the stack is resolved for
    all of them together.
  - The content of files on the controller that values name counts as well, and the members of groups that
    C(vllm_serve_nodes) names. Secrets count; those that are given for one run alone do not.
  - The same values give another digest on another host. A value that cannot be resolved counts as it is written.
options: {}
seealso:
  - module: gpufleet.nvidia.convergence_record
  - plugin: gpufleet.nvidia.converged
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Show the digest
  ansible.builtin.debug:
    msg: "{{ lookup('gpufleet.nvidia.role_inputs') }}"
"""

RETURN = r"""
_raw:
  description: The digest, in hexadecimal digits.
  type: list
  elements: str
"""

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.role_inputs import defaults, digest, resolved


def host_digest(templar, variables):
    """The digest for the host that *variables* belong to."""
    raw = {name: variables.get(name, default) for name, default in defaults().items()}
    values = resolved(raw, templar.template, AnsibleError)
    host, groups = str(variables.get("inventory_hostname", "")), variables.get("groups") or {}
    return digest(host, values, groups, str(variables.get("playbook_dir", ".")))


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return [host_digest(self._templar, variables or {})]
