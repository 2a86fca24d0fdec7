# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances over several hosts: this host's place in each, and what its server is told of the others.

vLLM's own mode for several hosts is used, which needs no Ray: the first host leads and answers, the others work for it.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_flags import flags_of, spans_of, when
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_written import exec_line

SOURCE = "vllm_serve_nodes"
PORT = 29501
Findings = list[dict[str, str]]


def vllm_nodes(rows: Any, host: str, groups: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """``{instance: {count, rank, address, port, interface}}`` for those that run over this host and others.

    :param rows: ``vllm_serve_nodes``; *host*: ``inventory_hostname``; *groups*: those of the inventory
    """
    found = {}
    for row in rows if isinstance(rows, list) else []:
        names = [name for word in row["hosts"] for name in (groups.get(word) or [word])]
        names = list(dict.fromkeys(names))
        if host in names and len(names) > 1:
            kept = {"address": row["address"], "port": int(row.get("port") or PORT), "interface": row.get("interface")}
            found[str(row["instance"])] = {"count": len(names), "rank": names.index(host), **kept}
    return found


def spread(instance: dict[str, Any], node: dict[str, Any], version: str) -> tuple[dict[str, Any], Findings]:
    """The instance of the plan as this host runs its part of it, and what is wrong with that."""
    label, flags = f"Instance {instance['name']}", flags_of(version)
    if "nnodes" not in flags.kinds:
        text = (
            f"{label} is to run over {node['count']} hosts, which vLLM {version} does with a cluster of Ray alone;"
            f" {when(spans_of('nnodes'), version)} without one. Take that, or fewer cards."
        )
        return instance, [error("vllm_nodes_missing", text, SOURCE)]
    words = ["--nnodes", str(node["count"]), "--node-rank", str(node["rank"])]
    words += ["--master-addr", str(node["address"]), "--master-port", str(node["port"])]
    is_worker = node["rank"] > 0
    argv = [*instance["argv"], *words, *(["--headless"] if is_worker else [])]
    environment = dict(instance["environment"])
    if node["interface"]:
        environment = {"NCCL_SOCKET_IFNAME": node["interface"], "GLOO_SOCKET_IFNAME": node["interface"], **environment}
    text = (
        f"{label} runs over {node['count']} hosts. This was never tried on real machines: its command lines are"
        " checked, and no more."
    )
    found = [warning("vllm_nodes_untried", text, SOURCE)]
    if not str(instance["path"]).startswith("/"):
        text = f"{label} runs over several hosts and names no folder: each of them fetches the model by itself."
        found.append(warning("vllm_nodes_model", text, SOURCE))
    return {
        **instance,
        "argv": argv,
        "exec": exec_line(argv),
        "config": {"argv": argv, "content": None},
        "environment": environment,
        "is_worker": is_worker,
    }, found
