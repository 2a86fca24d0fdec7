# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several instances must not share, and who may reach them with which key."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_contradictions import is_loopback
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_environment import NAME

SOURCE = "vllm_serve_instances"
SHM_MIB = 400  # what a server keeps in /dev/shm, measured
Specs = list[dict[str, Any]]
Findings = list[dict[str, str]]


def port_findings(specs: Specs, listening: list[dict[str, Any]], absent: list[str]) -> Findings:
    """What several instances want, and what others have; an instance that moves or goes gives its port up.

    :param listening: ``[{port, owner, instance}]``; ``instance``: which of ours listens there, None: none
    :param absent: the names of instances that are to go
    """
    found, by_port = [], _by(specs, lambda spec: [spec["port"]] if spec["port"] else [])
    for port, names in by_port.items():
        if len(names) > 1:
            text = (
                f"The instances {listed(names)} have port {port}: all would load, and one alone would answer. Give each"
                " its own."
            )
            found.append(error("vllm_port_twice", text, SOURCE))
    leaving = [(spec["name"], spec["port"]) for spec in specs]
    for row in listening:
        mine = row.get("instance")
        if mine in absent or any(name == mine and port != int(row["port"]) for name, port in leaving):
            continue
        names = [name for name in by_port.get(int(row["port"]), []) if name != row.get("instance")]
        if names:
            owner = row.get("owner") or row.get("instance") or "another program"
            text = f"Instance {names[0]}: port {row['port']} is taken by {owner}. Take another port, or stop that."
            found.append(error("vllm_port_taken", text))
    return found


def _by(specs: Specs, keys: Any) -> dict[Any, list[str]]:
    found: dict[Any, list[str]] = {}
    for spec in specs:
        for key in keys(spec):
            found.setdefault(key, []).append(spec["name"])
    return found


def replicas_of(specs: Specs) -> dict[str, list[str]]:
    """``{served name: [instances]}`` of names that several instances serve."""
    return {name: names for name, names in _by(specs, lambda spec: spec["served_names"]).items() if len(names) > 1}


def replica_findings(specs: Specs) -> Findings:
    """Instances of one served name stand for each other, so they must be the same."""
    found, rows = [], {spec["name"]: spec for spec in specs}
    for served, names in replicas_of(specs).items():
        for field in ("model", "task", "revision", "max_model_len"):
            values = [str(rows[name][field]) for name in names]
            if len(set(values)) > 1:
                text = (
                    f"The instances {listed(names)} all serve {served} and so stand for each other, but their {field}"
                    f" is {listed(values)}. Make it one, or give each its own served_names."
                )
                found.append(error("vllm_replicas_differ", text, SOURCE))
        cut = [name for name in names if not rows[name]["shutdown_timeout"]]
        if cut:
            text = (
                f"The instances {listed(names)} stand for each other, but a change of {listed(cut)} cuts off requests"
                " that run. Set shutdown_timeout, from vLLM 0.18.0 on."
            )
            found.append(note("vllm_replicas_cut", text, SOURCE))
    return found


def key_of(name: str, wants: dict[str, Any]) -> tuple[str | None, Any]:
    """The variable that has the key of an instance, and the key; (None, None): it has none."""
    if name in (wants["api_keys"] or {}):
        return "vllm_serve_api_keys", wants["api_keys"][name]
    if wants["api_key"] is not None:
        return "vllm_serve_api_key", wants["api_key"]
    return None, None


def key_findings(specs: Specs, wants: dict[str, Any]) -> Findings:
    """Keys that are none, keys for nobody, and doors without one. No text has a key in it."""
    found, names = [], [spec["name"] for spec in specs]
    for name in sorted(set(wants["api_keys"] or {}) - set(names)):
        near = get_close_matches(str(name), names, n=1)
        hint = f"did you mean {near[0]}?" if near else "remove it."
        text = f"vllm_serve_api_keys names {name}, which is no instance: {hint}"
        found.append(error("vllm_key_for_nobody", text, SOURCE))
    for spec in specs:
        label, (variable, key) = f"Instance {spec['name']}", key_of(spec["name"], wants)
        if variable and not re.fullmatch(r"[\x21-\x7e]+", str(key or "")):
            text = (
                f"{label}: its key in {variable} is empty or has blanks or letters beyond ASCII; with an empty one vLLM"
                " asks nobody for a key. Set a better one, or none."
            )
            found.append(error("vllm_key_invalid", text, variable))
        elif not variable and not is_loopback(spec["host"]) and not spec["keyless_ok"]:
            text = (
                f"{label} listens on {spec['host']} and asks nobody for a key. Set vllm_serve_api_key, keep it to"
                " 127.0.0.1, or say keyless_ok: true."
            )
            found.append(error("vllm_keyless", text, SOURCE))
        elif variable and not is_loopback(spec["host"]):
            text = (
                f"{label} listens on {spec['host']}: the key guards the routes below /v1, and not /invocations, /score,"
                " /rerank, /pooling or /metrics in every release. Let a front door pass what is meant to be reached."
            )
            found.append(warning("vllm_key_guards_some", text, SOURCE))
    for name in sorted(wants["secrets"] or {}, key=str):
        if not NAME.fullmatch(str(name)):
            text = (
                f"vllm_serve_secrets has {name!r}, which is not the name of a variable of an environment. Correct it."
            )
            found.append(error("vllm_environment_name", text, "vllm_serve_secrets"))
    return found


def memory_findings(specs: Specs, shm_mib: int | None) -> Findings:
    """:param shm_mib: the size of /dev/shm; None: nobody looked"""
    need = SHM_MIB * len(specs)
    if shm_mib is None or shm_mib >= need:
        return []
    text = (
        f"/dev/shm has {shm_mib} MiB, and {len(specs)} server(s) keep up to {need} MiB there. Make it larger: the size="
        " of its mount, or of the container."
    )
    return [warning("vllm_shm_small", text)]
