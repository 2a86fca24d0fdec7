# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One instance of the plan: what runs, where, with which environment and with the names of which secrets."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_cards import share_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_findings import key_of

ROUTES = {
    "generate": "/v1/completions",
    "embed": "/v1/embeddings",
    "classify": "/classify",
    "score": "/score",
    "rerank": "/rerank",
    "reward": "/pooling",
}
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


def planned(
    spec: dict[str, Any], written: dict[str, Any], wants: dict[str, Any], version: str, gpus: list[int]
) -> dict[str, Any]:
    """One instance as the role needs it; the filter gpufleet.nvidia.vllm_serve_plan documents its shape.

    :param written: the result of :func:`vllm_arguments.vllm_arguments`; *gpus*: its cards, none for a build for CPUs
    """
    path = written["argv"][1]
    is_local = path.startswith("/") and all(name.startswith("/") for name in _others(spec))
    environment = {"VLLM_NO_USAGE_STATS": "1"}
    if gpus:
        environment |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))}
    if is_local:
        environment["HF_HUB_OFFLINE"] = "1"
    environment |= written["environment"]
    secrets = dict.fromkeys(sorted(map(str, wants["secrets"] or {})), "vllm_serve_secrets")
    variable = key_of(spec["name"], wants)[0]
    secrets |= {"VLLM_API_KEY": variable} if variable else {}
    secrets |= {"HF_TOKEN": "vllm_serve_hf_token"} if wants["hf_token"] and not is_local else {}
    scheme = "https" if "ssl-certfile" in str(list(spec["arguments"])).replace("_", "-") else "http"
    row = {
        "name": spec["name"],
        "state": spec["state"],
        "model": spec["model"],
        "path": path,
        "task": spec["task"],
        "route": ROUTES[spec["task"]],
        "served_names": spec["served_names"],
        "host": spec["host"],
        "port": spec["port"],
        "url": f"{scheme}://{_reachable(spec['host'])}:{spec['port']}",
        "gpus": gpus,
        "share": share_of(spec, version) if gpus else None,
        "argv": written["argv"],
        "exec": written["exec"],
        "config": written["config"],
        "environment": environment,
        "secrets": secrets,
        "shutdown_timeout": spec["shutdown_timeout"] or 0,
    }
    return {**row, "digest": digest_of(row, version)}


def digest_of(row: dict[str, Any], version: str) -> str:
    """What changes whenever the server must be started anew; secrets' values are not in it."""
    told = json.dumps([version, row["argv"], row["environment"], row["secrets"]], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def placed(spec: dict[str, Any], model_facts: dict[str, Any]) -> dict[str, Any]:
    """The instance with the paths of all models beside its own: the guessing one, the adapters, the tokenizer."""

    def path(name: str | None) -> Any:
        return (model_facts.get(name or "") or {}).get("path") or name

    found = {**spec, "tokenizer": path(spec["tokenizer"])}
    if spec["speculation"]:
        found["speculation"] = {**spec["speculation"], "model": path(spec["speculation"]["model"])}
    if spec["lora"]:
        modules = [{**row, "path": path(row["path"])} for row in spec["lora"]["modules"]]
        found["lora"] = {**spec["lora"], "modules": modules}
    return found


def _others(spec: dict[str, Any]) -> list[str]:
    names = [spec["tokenizer"], (spec["speculation"] or {}).get("model")]
    names += [row["path"] for row in (spec["lora"] or {}).get("modules", [])]
    return [name for name in names if name]


def _reachable(host: str) -> str:
    """An address that a client on the host itself can use."""
    return ANYWHERE.get(host) or (f"[{host}]" if ":" in host else host)
