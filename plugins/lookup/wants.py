# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared variables of all roles for one host, as the resolver wants them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: wants
short_description: Collects the declared variables of this collection's roles for a host
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Gives one dictionary with an entry for each role of this collection, and in it every variable in scope that is an
    option of that role, without the role's prefix, templated, and of the type that the role declares. A value outside
    an option's choices is refused with them.
  - A role's defaults are in it only where they are in scope; what is missing takes its default in
    P(gpufleet.nvidia.stack#filter).
  - Options that hold secrets are left out.
options: {}
seealso:
  - plugin: gpufleet.nvidia.stack
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Say which stack this host gets
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['nvidia'] | gpufleet.nvidia.stack(lookup('gpufleet.nvidia.wants'))).why }}"
"""

RETURN = r"""
_value:
  description: By role, a dictionary of its variables without their prefix.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleError
from ansible.module_utils.common.validation import check_type_bool, check_type_int, check_type_list, check_type_str
from ansible.plugins.lookup import LookupBase

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_options import role_options

CONVERTERS = {"bool": check_type_bool, "int": check_type_int, "list": check_type_list, "str": check_type_str}


class _Outside(Exception):
    """Not one of the choices, in the words of Ansible's own validation."""


def _converted(value, spec):
    """The value in the type that the role declares, as the role itself will see it."""
    if value is None or spec.get("type") not in CONVERTERS:
        return value
    value = CONVERTERS[spec["type"]](value)
    if "choices" in spec and not isinstance(value, list) and value not in spec["choices"]:
        raise _Outside(f"must be one of: {', '.join(map(str, spec['choices']))}, got: {value}")
    element = CONVERTERS.get(spec.get("elements"))
    return [element(row) for row in value] if element else value


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        variables = variables or {}
        found: dict[str, dict[str, object]] = {}
        for role, options in role_options().items():
            declared = {name: f"{role}_{name}" for name in options if f"{role}_{name}" in variables}
            values = self._templar.template({name: variables[full] for name, full in declared.items()})
            for name, full in declared.items():
                try:
                    found.setdefault(role, {})[name] = _converted(values[name], options[name])
                except _Outside as exc:
                    raise AnsibleError(f"value of {full} {exc}") from exc
                except (TypeError, ValueError) as exc:
                    raise AnsibleError(
                        f"{full} is not of the type that the role {role} declares: {exc}. Correct the variable."
                    ) from exc
        return [found]
