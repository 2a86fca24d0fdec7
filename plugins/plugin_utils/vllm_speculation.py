# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speculative decoding: the same want in separate options, in one JSON, with the methods that a release has."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_flags import table, when
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_options import Sheet

SEPARATE = {  # field: option of the releases that have no JSON
    "tokens": "num-speculative-tokens",
    "tensor_parallel_size": "speculative-draft-tensor-parallel-size",
    "prompt_lookup_max": "ngram-prompt-lookup-max",
    "prompt_lookup_min": "ngram-prompt-lookup-min",
    "max_model_len": "speculative-max-model-len",
    "quantization": "speculative-model-quantization",
}
KEYS = {  # field: key of the JSON
    "model": "model",
    "tokens": "num_speculative_tokens",
    "tensor_parallel_size": "draft_tensor_parallel_size",
    "prompt_lookup_max": "prompt_lookup_max",
    "prompt_lookup_min": "prompt_lookup_min",
    "max_model_len": "max_model_len",
    "quantization": "quantization",
    "revision": "revision",
}


def add_speculation(sheet: Sheet, spec: dict[str, Any]) -> None:
    want = spec["speculation"]
    if not want or not _is_possible(sheet, spec, want):
        return
    if "speculative-config" in sheet.flags.kinds:
        _one(sheet, want)
    else:
        _separate(sheet, want)


def _is_possible(sheet: Sheet, spec: dict[str, Any], want: dict[str, Any]) -> bool:
    method, version = want["method"], sheet.flags.version
    rows = table()["speculation"][method]
    if not sheet.flags.speculates(method):
        text = f"vLLM {version} has no speculation by {method}; {when(rows, version)}."
        sheet.refuse("vllm_speculation_missing", f"{text} Take that, another method, or none.")
        return False
    size, own = want["tensor_parallel_size"], spec["tensor_parallel_size"]
    before = len(sheet.findings)
    if size and size not in (1, own):
        text = f"speculation.tensor_parallel_size is {size}: a draft runs on one card or on all {own}. Correct it."
        sheet.refuse("vllm_speculation_size", text)
    elif size and size != own and method == "draft_model" and not sheet.flags.can("draft_of_own_size"):
        text = (
            f"speculation.tensor_parallel_size is {size}, and vLLM {version} wants the draft's to be that of the model,"
            f" {own}. Leave it out."
        )
        sheet.refuse("vllm_speculation_size", text)
    if method == "draft_model" and spec["engine"] == "v1" and sheet.flags.can("engine_choice"):
        text = f"the engine V1 of vLLM {version} has no draft models. Leave engine out, or take ngram."
        sheet.refuse("vllm_speculation_engine", text)
    if spec["chunked_prefill"] and not sheet.flags.can("speculation_with_chunks"):
        draft = size or own
        if not (draft == 1 and sheet.flags.can("speculation_with_chunks_on_one_card")):
            text = (
                f"chunked_prefill and speculation exclude each other in vLLM {version}"
                f" with a draft on {draft} card(s). Leave one out."
            )
            sheet.refuse("vllm_speculation_chunks", text)
    return len(sheet.findings) == before


def _one(sheet: Sheet, want: dict[str, Any]) -> None:
    config = {key: want[field] for field, key in KEYS.items() if want[field] is not None}
    if want["method"] != "draft_model" or sheet.flags.can("draft_by_name"):
        config["method"] = want["method"]
    sheet.add("speculative-config", config, "speculation")


def _separate(sheet: Sheet, want: dict[str, Any]) -> None:
    if want["revision"]:
        sheet.add("speculative-config", {}, "speculation.revision")
    sheet.add("speculative-model", want["model"] or "[ngram]", "speculation.model")
    for field, flag in SEPARATE.items():
        if want[field] is not None:
            sheet.add(flag, want[field], f"speculation.{field}")
    if sheet.flags.can("block_manager_switch"):
        sheet.add("use-v2-block-manager", True, "speculation")
