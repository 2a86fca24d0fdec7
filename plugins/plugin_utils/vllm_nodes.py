# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances over several hosts: this host's place in each, and what its server is told of the others.

vLLM's own mode for several hosts is used, which needs no Ray: the first host leads and answers, the others work for it.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_flags import flags_of, spans_of, when
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_rows import rows_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_written import exec_line

SOURCE = "vllm_serve_nodes"
Findings = list[dict[str, str]]


def vllm_nodes(rows: Any, host: str, groups: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """``{instance: {count, rank, address, port, interface}}`` for those that run over this host and others.

    :param rows: ``vllm_serve_nodes``; *host*: ``inventory_hostname``; *groups*: those of the inventory
    """
    found = {}
    for row in rows_of(rows, SOURCE)[0]:
        names = _hosts(row, groups)
        if host in names and len(names) > 1:
            kept = {key: row[key] for key in ("address", "port", "interface")}
            found[row["instance"]] = {"count": len(names), "rank": names.index(host), **kept}
    return found


def node_findings(
    rows: Any, groups: dict[str, list[str]], instances: list[str], here: list[str], batch: list[str]
) -> Findings:
    """What is wrong with the rows themselves: their fields, hosts that nobody knows, instances that are none.

    :param rows: ``vllm_serve_nodes``; *groups*: those of the inventory; *instances*: the names of this host's
    :param here: the instances that run over this host and others, as the rows say; *batch*: the hosts of this run
    """
    rows, found = rows_of(rows, SOURCE)
    known, seen = {name for names in groups.values() for name in names}, set()
    for row in rows:
        label, names = f"The hosts of instance {row['instance']}", _hosts(row, groups)
        strange = [name for name in names if name not in known]
        if strange:
            text = f"{label}: {listed(strange)} is neither a host nor a group with hosts in the inventory. Correct it."
            found.append(error("vllm_nodes_unknown", text, SOURCE))
        elif len(names) < 2:
            text = f"{label} make {len(names)}, and over several an instance takes two or more. Name them, or no row."
            found.append(error("vllm_nodes_few", text, SOURCE))
        if row["instance"] in seen:
            found.append(error("vllm_nodes_twice", f"{label} stand in two rows. Remove one.", SOURCE))
        seen.add(row["instance"])
        apart = [name for name in names if name not in batch]
        if row["instance"] in here and batch and apart and not strange:
            text = (
                f"{label}: this run goes to {listed(apart)} later or not at all, and the leader answers when all of"
                " them work for it. Run them together, in one batch."
            )
            found.append(warning("vllm_nodes_apart", text, SOURCE))
        if row["instance"] in here and row["instance"] not in instances:
            text = f"{label}: this host has no instance of that name; there are {listed(instances)}. Correct it."
            found.append(warning("vllm_nodes_for_nobody", text, SOURCE))
    return found


def _hosts(row: dict[str, Any], groups: dict[str, list[str]]) -> list[str]:
    return list(dict.fromkeys(name for word in row["hosts"] for name in (groups.get(word) or [word])))


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
    if not is_worker and _is_address(node["address"]):
        environment = {"VLLM_HOST_IP": node["address"], **environment}
    text = (
        f"{label} runs over {node['count']} hosts. This was tried with vLLM's build for processors, and never with"
        " cards in several machines."
    )
    found = [note("vllm_nodes_untried", text, SOURCE)]
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
        "leader": f"{node['address']}:{node['port']}",
    }, found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
