"""Instances as people declare them, and everything that a property may draw for one."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_fields import DTYPES, TASKS
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_spec import instance_of

LLM: dict[str, Any] = {
    "name": "llm",
    "model": "/srv/models/qwen",
    "host": "127.0.0.1",
    "port": 58001,
    "tensor_parallel_size": 2,
    "gpu_memory_share": 0.7,
    "max_model_len": 10240,
    "prefix_caching": True,
    "served_names": ["Qwen2.5"],
}
DRAFT: dict[str, Any] = {**LLM, "speculation": {"method": "draft_model", "model": "/srv/models/small", "tokens": 5}}
EMBEDDING: dict[str, Any] = {
    "name": "embedding",
    "model": "/srv/models/bce",
    "task": "embed",
    "port": 58002,
    "tensor_parallel_size": 2,
    "gpu_memory_share": 0.1,
    "max_model_len": 512,
}
RERANKER: dict[str, Any] = {
    "name": "reranker",
    "model": "/srv/models/bge",
    "task": "rerank",
    "port": 58003,
    "tensor_parallel_size": 2,
    "gpu_memory_share": 0.1,
    "trust_remote_code": True,
}


def spec(**changes: Any) -> dict[str, Any]:
    """A right instance, filled; it is a defect of the test if it is not right."""
    filled, found = instance_of({**LLM, **changes})
    assert [row["text"] for row in found if row["severity"] == "error"] == []
    return filled


def declared() -> st.SearchStrategy[dict[str, Any]]:
    """Instances, right ones for the most part."""
    size = st.integers(1, 8)
    words = st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), min_size=1, max_size=12)
    scalars = st.one_of(st.booleans(), st.integers(-9, 99999), st.floats(0, 9), words)
    speculation = st.one_of(
        st.none(),
        st.fixed_dictionaries({"method": st.just("ngram"), "tokens": size, "prompt_lookup_max": size}),
        st.fixed_dictionaries({"method": st.just("draft_model"), "tokens": size, "model": st.just("/srv/small")}),
    )
    flags = st.sampled_from(["seed", "--swap-space", "max_logprobs", "middleware", "enable-sleep-mode", "rope-theta"])
    return st.fixed_dictionaries(
        {"name": st.just("one"), "model": st.sampled_from(["/srv/m", "org/m"]), "port": st.integers(1024, 65535)},
        optional={
            "task": st.sampled_from(TASKS),
            "tensor_parallel_size": size,
            "pipeline_parallel_size": size,
            "data_parallel_size": size,
            "expert_parallel": st.booleans(),
            "gpu_memory_share": st.floats(0.01, 1),
            "kv_cache_mib": st.integers(1, 9999),
            "max_model_len": st.integers(1, 10**6),
            "dtype": st.sampled_from(DTYPES),
            "quantization": st.sampled_from(["awq", "gptq", "fp8", "nonsense"]),
            "kv_cache_dtype": st.sampled_from(["auto", "fp8", "nonsense"]),
            "load_format": st.sampled_from(["auto", "dummy", "nonsense"]),
            "served_names": st.lists(words, max_size=3),
            "prefix_caching": st.none() | st.booleans(),
            "chunked_prefill": st.none() | st.booleans(),
            "log_requests": st.booleans(),
            "trust_remote_code": st.booleans(),
            "engine": st.none() | st.sampled_from(["v0", "v1"]),
            "shutdown_timeout": st.none() | st.integers(0, 99),
            "hf_overrides": st.dictionaries(words, scalars, max_size=2),
            "reasoning_parser": st.none() | st.just("deepseek_r1"),
            "tool_call_parser": st.none() | st.just("hermes"),
            "speculation": speculation,
            "arguments": st.dictionaries(flags, scalars, max_size=3),
            "environment": st.dictionaries(st.sampled_from(["A", "B_1", "NCCL_DEBUG"]), scalars, max_size=2),
        },
    )
