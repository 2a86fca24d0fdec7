# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of ``vllm_serve_instances``: each field with its type, range and default."""

from __future__ import annotations

import re
from typing import Any, NamedTuple


class Field(NamedTuple):
    """One field. ``kind``: str, int, float, bool, list, dict; ``low`` and ``high`` bound a number, both included.

    ``fields``: those of a dict, or of the dicts in a list; without them a dict may hold anything.
    """

    kind: str
    default: Any = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    elements: str | None = None
    fields: dict[str, Any] | None = None
    required: bool = False


NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,47}")
TASKS = ("generate", "embed", "classify", "score", "rerank", "reward")
DTYPES = ("auto", "half", "float16", "bfloat16", "float", "float32")
METHODS = ("draft_model", "ngram", "eagle", "eagle3", "medusa", "mlp_speculator", "mtp")
COUNT = {"low": 1}
LORA_MODULE = {
    "name": Field("str", required=True),
    "path": Field("str", required=True),
    "base_model": Field("str"),
}
LORA = {
    "modules": Field("list", elements="dict", fields=LORA_MODULE, default=[]),
    "max_rank": Field("int", low=1, high=512),
    "max_loras": Field("int", low=1),
    "max_cpu_loras": Field("int", low=1),
}
SPECULATION = {
    "method": Field("str", choices=METHODS, required=True),
    "model": Field("str"),
    "tokens": Field("int", low=1, high=64, required=True),
    "tensor_parallel_size": Field("int", low=1),
    "prompt_lookup_min": Field("int", low=1),
    "prompt_lookup_max": Field("int", low=1),
    "quantization": Field("str"),
    "max_model_len": Field("int", low=1),
    "revision": Field("str"),
}
FIELDS: dict[str, Field] = {
    "name": Field("str", required=True),
    "state": Field("str", "started", ("started", "stopped", "absent")),
    "model": Field("str", required=True),
    "task": Field("str", "generate", TASKS),
    "convert": Field("str", "auto", ("auto", "none", "embed", "classify")),
    "host": Field("str", "127.0.0.1"),
    "port": Field("int", low=1024, high=65535, required=True),
    "served_names": Field("list", [], elements="str"),
    "keyless_ok": Field("bool", False),
    "gpus": Field("list", [], elements="int", low=0),
    "gpu_memory_share": Field("float", low=0.01, high=1.0),
    "kv_cache_mib": Field("int", low=1),
    "tensor_parallel_size": Field("int", 1, low=1),
    "pipeline_parallel_size": Field("int", 1, low=1),
    "data_parallel_size": Field("int", 1, low=1),
    "expert_parallel": Field("bool", False),
    "max_model_len": Field("int", low=1),
    "max_num_seqs": Field("int", low=1),
    "max_num_batched_tokens": Field("int", low=1),
    "dtype": Field("str", choices=DTYPES),
    "quantization": Field("str"),
    "kv_cache_dtype": Field("str"),
    "load_format": Field("str"),
    "revision": Field("str"),
    "tokenizer": Field("str"),
    "tokenizer_mode": Field("str"),
    "chat_template": Field("str"),
    "generation_config": Field("str"),
    "hf_overrides": Field("dict", {}),
    "trust_remote_code": Field("bool", False),
    "enforce_eager": Field("bool", False),
    "prefix_caching": Field("bool"),
    "chunked_prefill": Field("bool"),
    "log_requests": Field("bool", False),
    "tool_call_parser": Field("str"),
    "reasoning_parser": Field("str"),
    "engine": Field("str", choices=("v0", "v1")),
    "shutdown_timeout": Field("int", low=0, high=86400),
    "speculation": Field("dict", fields=SPECULATION),
    "lora": Field("dict", fields=LORA),
    "arguments": Field("dict", {}),
    "environment": Field("dict", {}),
}
# Options of vllm serve that a field speaks for, or that are not to be given: they may not stand in `arguments`.
OWNED: dict[str, str] = {
    "model": "model",
    "task": "task",
    "runner": "task",
    "convert": "convert",
    "host": "host",
    "port": "port",
    "served-model-name": "served_names",
    "gpu-memory-utilization": "gpu_memory_share",
    "device-memory-utilization": "gpu_memory_share",
    "device-ids": "gpus",
    "kv-cache-memory-bytes": "kv_cache_mib",
    "tensor-parallel-size": "tensor_parallel_size",
    "pipeline-parallel-size": "pipeline_parallel_size",
    "data-parallel-size": "data_parallel_size",
    "enable-expert-parallel": "expert_parallel",
    "max-model-len": "max_model_len",
    "max-num-seqs": "max_num_seqs",
    "max-num-batched-tokens": "max_num_batched_tokens",
    "dtype": "dtype",
    "quantization": "quantization",
    "kv-cache-dtype": "kv_cache_dtype",
    "load-format": "load_format",
    "revision": "revision",
    "tokenizer": "tokenizer",
    "tokenizer-mode": "tokenizer_mode",
    "chat-template": "chat_template",
    "generation-config": "generation_config",
    "hf-overrides": "hf_overrides",
    "trust-remote-code": "trust_remote_code",
    "enforce-eager": "enforce_eager",
    "enable-prefix-caching": "prefix_caching",
    "enable-chunked-prefill": "chunked_prefill",
    "enable-log-requests": "log_requests",
    "disable-log-requests": "log_requests",
    "tool-call-parser": "tool_call_parser",
    "enable-auto-tool-choice": "tool_call_parser",
    "reasoning-parser": "reasoning_parser",
    "enable-reasoning": "reasoning_parser",
    "shutdown-timeout": "shutdown_timeout",
    "enable-lora": "lora",
    "lora-modules": "lora",
    "max-lora-rank": "lora",
    "max-loras": "lora",
    "max-cpu-loras": "lora",
    "speculative-config": "speculation",
    "speculative-model": "speculation",
    "num-speculative-tokens": "speculation",
    "speculative-draft-tensor-parallel-size": "speculation",
    "speculative-max-model-len": "speculation",
    "speculative-model-quantization": "speculation",
    "ngram-prompt-lookup-max": "speculation",
    "ngram-prompt-lookup-min": "speculation",
    "spec-model": "speculation",
    "spec-tokens": "speculation",
    "spec-method": "speculation",
}


def is_switched_by(flag: str) -> str | None:
    """The field that speaks for an option or for its opposite; None: no field does."""
    for name in (flag, flag.removeprefix("no-"), re.sub("^disable-", "enable-", flag)):
        if name in OWNED:
            return OWNED[name]
    return None
