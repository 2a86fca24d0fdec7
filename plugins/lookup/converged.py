# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether roles of this collection have nothing to do on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: converged
short_description: Whether nothing has moved since roles last came to their end
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - True only where C(ansible_facts['nvidia'].records) has a whole record of each role, made by this collection of the
    same inputs, and the host is as it says. Any doubt is false, also that the facts were not read.
  - With C(gpufleet_full) true it is always false, so that everything runs. With C(-vv) the reason is told.
options:
  _terms:
    description: Names of roles.
    type: list
    elements: str
    required: true
seealso:
  - module: gpufleet.nvidia.gpu_facts
  - plugin: gpufleet.nvidia.role_inputs
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Leave when nothing has moved since the last run
  ansible.builtin.meta: end_role
  when: lookup('gpufleet.nvidia.converged', 'cuda')
"""

RETURN = r"""
_raw:
  description: Whether all of them have nothing to do.
  type: list
  elements: bool
"""

from contextlib import suppress
from functools import cache

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.loader import filter_loader
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.gpufleet.nvidia.plugins.lookup.role_inputs import host_digest
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.records import collection_digest, doubt

display = Display()


@cache
def load_filters():
    """Loads the collection's filters in the process that asks: its forks need not, which takes each of them 0.17 s."""
    with suppress(KeyError):  # outside of a playbook nothing is known of collections
        filter_loader.get("gpufleet.nvidia.stack")


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        variables = variables or {}
        why = self._why(list(self._flatten(terms)), variables)
        if why:
            display.vv(f"{variables.get('inventory_hostname')}: {why}")
            load_filters()
        return [why is None]

    def _why(self, roles, variables):
        """Why at least one of the roles has to run; None where none has."""
        if boolean(self._templar.template(variables.get("gpufleet_full", False)), strict=False):
            return "gpufleet_full wants everything to run."
        facts = (variables.get("ansible_facts") or {}).get("nvidia")
        records = facts.get("records") if isinstance(facts, dict) else None
        if not roles or not records or any(role not in records for role in roles):
            return f"No record of {', '.join(role for role in roles if role not in (records or {})) or 'any role'}."
        inputs, collection = host_digest(self._templar, variables), collection_digest()
        return next(filter(None, (doubt(records, role, inputs, collection) for role in roles)), None)
