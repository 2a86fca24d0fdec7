# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of one instance that are each right and together wrong, and values that only look right."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_environment import environment_findings

SOURCE = "vllm_serve_instances"
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
CONVERTS = {"embed": ("auto", "none", "embed"), "reward": ("auto", "none")}
Findings = list[dict[str, str]]


def cards_needed(spec: dict[str, Any]) -> int:
    """How many cards an instance takes of one host."""
    sizes = [spec[f"{kind}_parallel_size"] for kind in ("tensor", "pipeline", "data")]
    return int(-(-sizes[0] * sizes[1] * sizes[2] // spec.get("hosts", 1)))


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def contradictions(spec: dict[str, Any]) -> Findings:
    """Errors and warnings for one instance whose every field has the right type."""

    def no(code: str, text: str) -> dict[str, str]:
        return error(code, f"Instance {spec['name']}: {text}", SOURCE)

    return [
        *_addresses(spec, no),
        *_cards(spec, no),
        *_lengths(spec, no),
        *_tasks(spec, no),
        *_speculation(spec, no),
        *_adapters(spec, no),
        *environment_findings(spec),
    ]


No = Callable[[str, str], dict[str, str]]


def _addresses(spec: dict[str, Any], no: No) -> Findings:
    found, host = [], spec["host"]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not HOST.fullmatch(host):
            text = f"host is {host}, which is neither an address nor a name; a scheme and a port do not belong there."
            found.append(no("vllm_host_invalid", text))
    for name in spec["served_names"]:
        if name.startswith("-"):
            found.append(no("vllm_served_name_invalid", f"the served name {name} begins with a dash. Change it."))
    if len(set(spec["served_names"])) < len(spec["served_names"]):
        found.append(no("vllm_served_name_twice", "served_names has one name twice. Remove one."))
    if spec["model"].startswith("-"):
        found.append(no("vllm_model_invalid", f"the model {spec['model']} begins with a dash. Correct it."))
    template = spec["chat_template"]
    if template and not template.startswith("/"):
        found.append(
            no("vllm_chat_template_relative", f"chat_template is {template}; give the whole path on the host.")
        )
    return found


def _cards(spec: dict[str, Any], no: No) -> Findings:
    found, gpus, needed = [], spec["gpus"], cards_needed(spec)
    if len(set(gpus)) < len(gpus):
        found.append(no("vllm_gpu_twice", "gpus names a card twice. Name each once."))
    elif gpus and len(gpus) != needed:
        text = (
            f"gpus names {len(gpus)} card(s), and tensor, pipeline and data parallel size make {needed}. Change the"
            " sizes or the list."
        )
        found.append(no("vllm_gpus_and_sizes", text))
    return found


def _lengths(spec: dict[str, Any], no: No) -> Findings:
    found = []
    batched, length, seqs = spec["max_num_batched_tokens"], spec["max_model_len"], spec["max_num_seqs"]
    if batched and seqs and batched < seqs:
        text = f"max_num_batched_tokens is {batched}, and each of max_num_seqs {seqs} needs a token. Raise the former."
        found.append(no("vllm_batch_too_small", text))
    if batched and length and batched < length and spec["chunked_prefill"] is False:
        text = (
            f"max_num_batched_tokens is {batched} and max_model_len {length}: without chunked_prefill a whole prompt"
            " must fit one batch. Raise the former, or leave chunked_prefill on."
        )
        found.append(no("vllm_batch_too_small", text))
    return found


def _tasks(spec: dict[str, Any], no: No) -> Findings:
    found, task = [], spec["task"]
    if task == "generate":
        if spec["convert"] not in ("auto", "none"):
            text = f"convert is {spec['convert']}, which makes the model one that does not generate. Set the task."
            found.append(no("vllm_convert_and_task", text))
    else:
        if spec["convert"] not in CONVERTS.get(task, ("auto", "none", "classify")):
            found.append(
                no("vllm_convert_and_task", f"convert is {spec['convert']} and task {task}: not both. Change one.")
            )
        for name in ("speculation", "tool_call_parser", "reasoning_parser"):
            if spec[name]:
                text = f"{name} is for models that generate text, and the task is {task}. Remove it, or the task."
                found.append(no("vllm_only_for_generate", text))
    return found


def _speculation(spec: dict[str, Any], no: No) -> Findings:
    want = spec["speculation"]
    if not want:
        return []
    found, method = [], want["method"]
    if method in ("ngram", "mtp") and want["model"]:
        text = f"speculation by {method} has no model of its own. Remove speculation.model, or take draft_model."
        found.append(no("vllm_speculation_model", text))
    if method not in ("ngram", "mtp") and not want["model"]:
        found.append(no("vllm_speculation_model", f"speculation by {method} needs speculation.model. Set it."))
    low, high = want["prompt_lookup_min"], want["prompt_lookup_max"]
    if method == "ngram" and not high:
        found.append(no("vllm_speculation_lookup", "speculation by ngram needs speculation.prompt_lookup_max. Set it."))
    if method != "ngram" and (low or high):
        found.append(no("vllm_speculation_lookup", f"prompt_lookup belongs to ngram, and the method is {method}."))
    if low and high and low > high:
        text = f"speculation.prompt_lookup_min is {low} and prompt_lookup_max {high}. Exchange them."
        found.append(no("vllm_speculation_lookup", text))
    return found


def _adapters(spec: dict[str, Any], no: No) -> Findings:
    want = spec["lora"]
    if not want:
        return []
    found = []
    names = [row["name"] for row in want["modules"]]
    for name in sorted({name for name in names if names.count(name) > 1 or name in spec["served_names"]}):
        text = f"{name} is the name of two models that it serves. Give the adapter another."
        found.append(no("vllm_served_name_twice", text))
    if any("=" in row["name"] or row["name"].startswith("-") for row in want["modules"]):
        found.append(
            no("vllm_lora_name", "the name of an adapter has an equals sign or begins with a dash. Change it.")
        )
    if want["max_loras"] and want["max_cpu_loras"] and want["max_cpu_loras"] < want["max_loras"]:
        found.append(no("vllm_lora_counts", "lora.max_cpu_loras is less than lora.max_loras. Raise it."))
    return found
