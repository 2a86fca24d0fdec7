# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a model is there and whole, and whether its own figures allow what an instance wants of it."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_cards import Cards, indices_of, share_of

NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length", "seq_len")
MIB = 1024**2
Findings = list[dict[str, str]]


def model_findings(spec: dict[str, Any], facts: dict[str, Any], cards: Cards, version: str) -> Findings:
    """:param facts: what is known of models, by the name that the instance uses; see the filter vllm_serve_plan"""
    found = _presence(spec, spec["model"], facts.get(spec["model"]) or {})
    config = config_of(facts, spec["model"])
    if found or not config:
        return found
    source = f"config.json of {spec['model']}"

    def no(code: str, text: str) -> dict[str, str]:
        return error(code, f"Instance {spec['name']}: {text}", source)

    found += [no(*row) for row in [*_sizes(spec, config), *_length(spec, config), *_kinds(spec, config)]]
    found += _weights(spec, facts[spec["model"]], config, cards, version)
    found += _reranker(spec, config, source)
    draft = (spec["speculation"] or {}).get("model")
    if draft and spec["speculation"]["method"] == "draft_model":
        found += _presence(spec, draft, facts.get(draft) or {})
        found += [no(*row) for row in _draft(draft, config_of(facts, draft), config)]
    return found


def config_of(facts: dict[str, Any], model: str) -> dict[str, Any]:
    """The figures of a model, those of its language part first; {}: nobody read them."""
    config = dict((facts.get(model) or {}).get("config") or {})
    if not config:
        return {}
    inner: dict[str, Any] = next((config[key] for key in NESTED if isinstance(config.get(key), dict)), {})
    return {**config, **inner, "architectures": config.get("architectures") or inner.get("architectures") or []}


def _presence(spec: dict[str, Any], model: str, row: dict[str, Any]) -> Findings:
    source = str(row.get("path") or model)
    label = f"Instance {spec['name']}: the model {model}"
    if row.get("exists") is False:
        text = f"{label} is not at {source}. Have it fetched, or correct the path."
        return [error("vllm_model_absent", text, source)]
    if row.get("missing") and spec["load_format"] != "dummy":
        text = (
            f"{label} is not whole, {listed([str(name) for name in row['missing'][:5]])} are not there. Fetch it again."
        )
        return [error("vllm_model_incomplete", text, source)]
    if row.get("exists") and not row.get("config") and not model.endswith(".gguf"):
        text = f"{label} has no config.json at {source}, so vLLM cannot tell what it is. Name the folder that has one."
        return [error("vllm_model_without_config", text, source)]
    return []


def _figure(config: dict[str, Any], *names: str) -> int | None:
    return next((value for name in names if isinstance(value := config.get(name), int) and value > 0), None)


def _sizes(spec: dict[str, Any], config: dict[str, Any]) -> list[tuple[str, str]]:
    found, tensor, pipeline = [], spec["tensor_parallel_size"], spec["pipeline_parallel_size"]
    heads = _figure(config, "num_attention_heads", "n_head")
    if heads and heads % tensor:
        fits = [str(size) for size in range(1, tensor + 8) if heads % size == 0][-4:]
        text = (
            f"tensor_parallel_size {tensor} does not divide the model's {heads} attention heads. {listed(fits)} would."
        )
        found.append(("vllm_heads_not_divided", text))
    groups = _figure(config, "num_key_value_heads")
    if groups and not found and groups % tensor and tensor % groups:
        text = f"tensor_parallel_size {tensor} and the model's {groups} key-value heads do not divide each other."
        found.append(("vllm_heads_not_divided", f"{text} Take another size."))
    layers = _figure(config, "num_hidden_layers", "n_layer")
    if layers and pipeline > layers:
        text = f"pipeline_parallel_size {pipeline} is more than the model's {layers} layers. Lower it."
        found.append(("vllm_layers_too_few", text))
    return found


def _length(spec: dict[str, Any], config: dict[str, Any]) -> list[tuple[str, str]]:
    most = min((config[name] for name in LENGTHS if isinstance(config.get(name), int)), default=None)
    stretched = config.get("rope_scaling") or config.get("rope_parameters") or spec["hf_overrides"]
    asked = spec["max_model_len"]
    allowed = "VLLM_ALLOW_LONG_MAX_MODEL_LEN" in spec["environment"] or "rope-scaling" in str(spec["arguments"])
    if not (most and asked and asked > most) or stretched or allowed:
        return []
    text = f"max_model_len is {asked}, and the model was made for {most}. Lower it, or stretch it with hf_overrides."
    return [("vllm_length_exceeds_model", text)]


def _kinds(spec: dict[str, Any], config: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    names = [str(name) for name in config["architectures"]]
    if spec["task"] == "generate" and any(name.endswith("ForSequenceClassification") for name in names):
        text = f"the model is a {names[0]}, which generates no text. Set task to score, rerank or classify."
        found.append(("vllm_task_and_model", text))
    own = str((config.get("quantization_config") or {}).get("quant_method") or "").lower()
    asked = spec["quantization"]
    if own and asked and not (_family(asked) in _family(own) or _family(own) in _family(asked)):
        text = (
            f"quantization is {asked}, and the model's files are {own}. Leave the field out: vLLM reads it from them."
        )
        found.append(("vllm_quantization_and_model", text))
    return found


def _family(method: str) -> str:
    """``gptq`` of ``gptq_marlin`` and of ``auto_gptq``."""
    return re.sub(r"^(?:auto|cpu)[_-]|_(?:marlin|bitblas)(?:_\d+)?$", "", method.lower().replace("-", "_"))


def _weights(spec: dict[str, Any], row: dict[str, Any], config: dict[str, Any], cards: Cards, version: str) -> Findings:
    """The weights alone must fit; a server needs room for a cache beside them."""
    known = [cards[index].get("memory_mib") for index in indices_of(spec) if index < len(cards)]
    quantised_later = spec["quantization"] and not config.get("quantization_config")
    if not row.get("bytes") or not all(known) or not known or quantised_later or spec["load_format"] == "dummy":
        return []
    if any("offload" in str(name) for name in spec["arguments"]):
        return []
    need = row["bytes"] / MIB / (spec["tensor_parallel_size"] * spec["pipeline_parallel_size"])
    have = min(size for size in known if size) * share_of(spec, version)
    if need < have:
        return []
    text = (
        f"Instance {spec['name']}: its share of a card is {have:.0f} MiB, and the weights of {spec['model']} alone take"
        f" {need:.0f} MiB of each. Raise gpu_memory_share or tensor_parallel_size, or take a smaller model."
    )
    return [error("vllm_weights_exceed_share", text, str(row.get("path") or spec["model"]))]


def _reranker(spec: dict[str, Any], config: dict[str, Any], source: str) -> Findings:
    causal = any(str(name).endswith("ForCausalLM") for name in config["architectures"])
    if spec["task"] not in ("score", "rerank") or not causal or spec["hf_overrides"]:
        return []
    text = (
        f"Instance {spec['name']}: the model is a {config['architectures'][0]}, made for text, and as a reranker it"
        " gives wrong scores unless told how. Set hf_overrides as the model's page says."
    )
    return [warning("vllm_reranker_overrides", text, source)]


def _draft(name: str, draft: dict[str, Any], config: dict[str, Any]) -> list[tuple[str, str]]:
    own, words = _figure(config, "vocab_size"), _figure(draft, "vocab_size")
    if not own or not words or own == words:
        return []
    text = f"the draft {name} has {words} words and the model {own}. Take a draft of the same family."
    return [("vllm_draft_vocabulary", text)]
