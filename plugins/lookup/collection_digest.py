# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which collection this is: its version and a digest of its content."""

from __future__ import annotations

DOCUMENTATION = r"""
name: collection_digest
short_description: Version of this collection, with a digest of its content
version_added: 0.1.0
author: gpufleet.nvidia contributors (@gpufleet)
description:
  - Gives the collection's version and twelve digits of a digest of its plugins and roles, so that a change of either
    is seen though the version stays.
options: {}
seealso:
  - module: gpufleet.nvidia.convergence_record
"""

EXAMPLES = r"""
- name: Show the collection
  ansible.builtin.debug:
    msg: "{{ lookup('gpufleet.nvidia.collection_digest') }}"
"""

RETURN = r"""
_raw:
  description: Version and digest, such as C(0.1.0+3f2a51c09b7e).
  type: list
  elements: str
"""

from ansible.plugins.lookup import LookupBase

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.records import collection_digest


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return [collection_digest()]
