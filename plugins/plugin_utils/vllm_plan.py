# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the facts of a host, the stack that was chosen for it and the wanted instances to one plan for its servers.

Pure: no clock, no files of the host. The plan holds no secret, only the names of the variables that have one.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, note, ordered, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_arguments import vllm_arguments
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_cards import (
    card_findings,
    cards_of,
    indices_of,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_findings import (
    key_findings,
    memory_findings,
    port_findings,
    replica_findings,
    replicas_of,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_flags import newest, oldest
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_instance import digest_of, placed, planned
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_models import model_findings
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_nodes import node_findings, spread
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_rows import rows_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_spec import instances_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_steps import steps_of

DEFAULTS: dict[str, Any] = {
    "state": "present",
    "version": None,
    "instances": [],
    "package": "vllm",
    "api_key": None,
    "api_keys": {},
    "hf_token": None,
    "secrets": {},
}
SEEN: dict[str, Any] = {"found_version": None, "listening": [], "shm_mib": None, "secrets_current": False, "nodes": {}}
DECLARED: dict[str, Any] = {"declared_models": [], "declared_nodes": [], "groups": {}, "batch": []}


def vllm_plan(
    facts: dict[str, Any], stack: dict[str, Any], wants: dict[str, Any], model_facts: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The plan for one host; its shape is in the documentation of the filter gpufleet.nvidia.vllm_serve_plan.

    :param stack: the result of the filter gpufleet.nvidia.stack; its ``vllm``, ``gpus`` and findings are read
    :param wants: the variables of the role vllm_serve without their prefix, and what its preflight saw
    :param model_facts: what is known of models, by the name that the instances use
    """
    wants = {**DEFAULTS, **SEEN, **DECLARED, **wants}
    specs, findings = instances_of(wants["instances"] if wants["state"] == "present" else [])
    specs = [{**spec, "hosts": (wants["nodes"].get(spec["name"]) or {"count": 1})["count"]} for spec in specs]
    serving = [spec for spec in specs if spec["state"] != "absent"]
    chosen = stack.get("vllm") or {}
    version = wants["found_version"] or chosen.get("version")
    plan: dict[str, Any] = {
        "state": wants["state"],
        "version": version,
        "skipped": None,
        "instances": [],
        "absent": [spec["name"] for spec in specs if spec["state"] == "absent"],
        "replicas": replicas_of(serving),
        "steps": [],
        "changed": [],
        "findings": findings,
        "idle": True,
    }
    if wants["state"] == "present" and not wants["instances"]:
        plan["skipped"] = "vllm_serve_instances names no instance, so nothing is served. Name one."
    elif serving:
        plan["findings"] += [*of_stack(stack, wants), *_version_findings(version, wants), *key_findings(serving, wants)]
        heard = [spec for spec in serving if not (wants["nodes"].get(spec["name"]) or {"rank": 0})["rank"]]
        plan["findings"] += [*port_findings(heard, wants["listening"], plan["absent"]), *replica_findings(serving)]
        plan["findings"] += memory_findings(serving, wants["shm_mib"])
        plan["findings"] += rows_of(wants["declared_models"], "vllm_serve_models")[1]
        names = [spec["name"] for spec in serving]
        plan["findings"] += node_findings(
            wants["declared_nodes"], wants["groups"], names, list(wants["nodes"]), wants["batch"]
        )
        if version:
            _plan_instances(plan, stack, wants, serving, model_facts or {})
    seen = (facts.get("vllm") or {}).get("instances") or {}
    plan["findings"] = ordered([*plan["findings"], *_unlisted(wants, seen)])
    if not any(row["severity"] == "error" for row in plan["findings"]):
        plan["steps"], plan["changed"] = steps_of(plan, seen)
    secret = any(row["secrets"] for row in plan["instances"]) and not wants["secrets_current"]
    plan["idle"] = not plan["steps"] and not secret
    return plan


def of_stack(stack: dict[str, Any], wants: dict[str, Any]) -> list[dict[str, str]]:
    """The resolver's findings that concern vLLM; a build for CPUs needs neither cards nor a driver."""
    codes = [row["code"] for row in stack.get("findings") or [] if row["code"].startswith("vllm")]
    codes = ["vllm_unknown", "vllm_glibc", "vllm_python"] if _is_for_cpus(wants) else [*codes, "driver_too_old_for"]
    return [row for row in stack.get("findings") or [] if row["code"] in codes]


def _is_for_cpus(wants: dict[str, Any]) -> bool:
    return str(wants["package"]).endswith("-cpu")


def _version_findings(version: str | None, wants: dict[str, Any]) -> list[dict[str, str]]:
    if version is None and wants["version"]:
        return []  # the resolver says why it knows none
    if version is None:
        return [error("vllm_version_missing", "vllm_serve_version is not set, and no vLLM is there. Name a release.")]
    if version_key(version) < version_key(oldest()):
        text = f"vLLM {version} is older than {oldest()}, the oldest whose options are known. Take a newer one."
        return [error("vllm_release_unknown", text)]
    if version_key(version) > version_key(newest()):
        text = f"vLLM {version} is newer than {newest()}, the newest whose options are known: those are taken to hold."
        return [warning("vllm_release_unknown", text)]
    return []


def _plan_instances(
    plan: dict[str, Any],
    stack: dict[str, Any],
    wants: dict[str, Any],
    specs: list[dict[str, Any]],
    model_facts: dict[str, Any],
) -> None:
    version, on_cpu = plan["version"], _is_for_cpus(wants)
    cards = [] if on_cpu else cards_of(stack)
    if not on_cpu:
        least = (stack.get("vllm") or {}).get("compute_capability")
        plan["findings"] += card_findings(specs, cards, version, least)
    for spec in specs:
        row = model_facts.get(spec["model"]) or {}
        plan["findings"] += model_findings(spec, model_facts, cards, version) if spec["model"] else []
        if not spec["valid"]:
            continue
        spec = placed(spec, model_facts)
        written = vllm_arguments(spec, version, row.get("path"))
        plan["findings"] += written["findings"]
        instance = planned(spec, written, wants, version, [] if on_cpu else indices_of(spec))
        if spec["hosts"] > 1:
            instance, found = spread(instance, wants["nodes"][spec["name"]], version)
            plan["findings"] += found
        plan["instances"].append({**instance, "digest": digest_of(instance, version)})
    for place, instance in enumerate(plan["instances"]):
        before = plan["instances"][:place]
        instance["after"] = [other["name"] for other in before if set(other["gpus"]) & set(instance["gpus"])]


def _unlisted(wants: dict[str, Any], seen: dict[str, Any]) -> list[dict[str, str]]:
    given = wants["instances"] if isinstance(wants["instances"], list) else []
    names = [row.get("name") for row in given if isinstance(row, dict)]
    rows = [name for name in sorted(seen) if name not in names] if wants["state"] == "present" else []
    text = "The host has the instance {name}, which vllm_serve_instances does not name: it stays as it is. Name it with"
    return [note("vllm_instance_unlisted", f"{text.format(name=name)} state: absent to remove it.") for name in rows]
