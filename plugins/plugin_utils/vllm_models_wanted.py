# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models a host must have before its servers start, and what is known of those that are still to come."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_rows import rows_of

SERVER = "server"  # vLLM itself fetches what it is told by name
DRAFTS = ("draft_model", "eagle", "eagle3", "medusa", "mlp_speculator")
Rows = list[dict[str, Any]]


def models_wanted(instances: Any, models: Any, source: str) -> Rows:
    """Rows for the module vllm_model: the declared models that are used, and those that instances name.

    Whatever is not of the right shape is passed over: the plan has the sentence for it.

    :param instances: ``vllm_serve_instances``; *models*: ``vllm_serve_models``; *source*: for a name that none declares
    """
    declared, _findings = rows_of(models, "vllm_serve_models")
    found = {row["name"]: {key: value for key, value in row.items() if value not in (None, {}, [])} for row in declared}
    for row in _dicts(instances):
        if row.get("state") == "absent":
            continue
        speculation = next(iter(_dicts([row.get("speculation")])), {})
        draft = speculation.get("model") if speculation.get("method") in DRAFTS else None
        for name, revision in ((row.get("model"), row.get("revision")), (draft, speculation.get("revision"))):
            if not name or not isinstance(name, str) or name in found:
                continue
            if name.startswith("/"):
                found[name] = {"name": name, "source": "path", "path": name}
            elif source != SERVER:
                found[name] = {"name": name, "source": source, **({"revision": str(revision)} if revision else {})}
    return list(found.values())


def models_seen(facts: dict[str, dict[str, Any]], wanted: Rows, folder: str) -> dict[str, dict[str, Any]]:
    """What is known of models for the plan; of one that is to be fetched, or that nobody looked at, where it will lie.

    :param facts: ``models`` of the module vllm_model, from a look in check mode or after the fetch; may be empty
    :param folder: ``vllm_serve_models_folder``
    """
    found = {}
    for want in wanted:
        name, row = str(want["name"]), facts.get(str(want["name"])) or {}
        path = row.get("path") or want.get("path") or f"{folder}/{name}"
        to_come = not row or (not row.get("exists") and want.get("source") != "path")
        found[name] = {"path": path} if to_come else {**row, "path": path}
    return found


def _dicts(rows: Any) -> Rows:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
