# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists beside the instances (models, doors, hosts): their fields, and everything in them of the wrong kind.

Ansible's own validation would end the run with these alone; here they come with all other findings.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_fields import Field
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_spec import filled

Findings = list[dict[str, str]]
MODELS = {
    "name": Field("str", required=True),
    "source": Field("str", "huggingface", ("huggingface", "modelscope", "path")),
    "revision": Field("str"),
    "path": Field("str"),
    "sha256": Field("dict", {}),
    "files": Field("list", [], elements="str"),
}
DOORS = {
    "name": Field("str", required=True),
    "served_name": Field("str", required=True),
    "listen": Field("str", required=True),
    "server_name": Field("str", "_"),
    "upstreams": Field("list", [], elements="str"),
    "certificate": Field("str"),
    "certificate_key": Field("str"),
    "routes": Field("list", [], elements="str"),
    "body_mib": Field("int", 32, low=0),
    "timeout": Field("int", 600, low=1),
}
NODES = {
    "instance": Field("str", required=True),
    "hosts": Field("list", [], elements="str", required=True),
    "address": Field("str", required=True),
    "port": Field("int", 29501, low=1024, high=65535),
    "interface": Field("str"),
}
TABLES = {
    "vllm_serve_models": ("Model", "name", MODELS),
    "vllm_serve_doors": ("Door", "name", DOORS),
    "vllm_serve_nodes": ("The hosts of instance", "instance", NODES),
}


def rows_of(given: Any, variable: str) -> tuple[list[dict[str, Any]], Findings]:
    """The rows that are right, with all their fields, and what is wrong with the others.

    :param given: the value of *variable*, one of ``TABLES``
    """
    what, key, fields = TABLES[variable]
    if given is None:
        return [], []
    if not isinstance(given, list):
        text = f"{variable} is {given!r}, not a list. Write each row as one of its elements: - {{{key}: …}}."
        return [], [error("vllm_rows_invalid", text, variable)]
    rows, findings = [], []
    for place, row in enumerate(given, start=1):
        if not isinstance(row, dict):
            text = f"Row {place} of {variable} is {row!r}, not a mapping. Write it as {{{key}: …}}."
            findings.append(error("vllm_rows_invalid", text, variable))
            continue
        values, found = filled(row, fields, f"{what} {row.get(key) or place}", "", variable)
        findings += found
        if not found:
            rows.append(values)
    return rows, findings
