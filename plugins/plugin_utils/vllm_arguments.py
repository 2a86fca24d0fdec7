# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From one instance and one release of vLLM to the arguments of ``vllm serve`` that say the same there.

A want that the release cannot do is an error that names the release that can. Nothing secret is ever an argument.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_environment import text_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_extra import add_extra
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_flags import flags_of, row_at, table, when
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_options import Sheet
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_speculation import add_speculation
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_written import config_of, exec_line

PLAIN = {  # field: option, for those that mean the same in every release that has the option
    "host": "host",
    "port": "port",
    "served_names": "served-model-name",
    "gpu_memory_share": "gpu-memory-utilization",
    "max_model_len": "max-model-len",
    "max_num_seqs": "max-num-seqs",
    "max_num_batched_tokens": "max-num-batched-tokens",
    "dtype": "dtype",
    "quantization": "quantization",
    "kv_cache_dtype": "kv-cache-dtype",
    "load_format": "load-format",
    "revision": "revision",
    "tokenizer": "tokenizer",
    "tokenizer_mode": "tokenizer-mode",
    "chat_template": "chat-template",
    "generation_config": "generation-config",
    "hf_overrides": "hf-overrides",
    "prefix_caching": "enable-prefix-caching",
    "chunked_prefill": "enable-chunked-prefill",
    "shutdown_timeout": "shutdown-timeout",
}
SWITCHES = {  # field: option that is given when the field is true, and otherwise not
    "expert_parallel": "enable-expert-parallel",
    "trust_remote_code": "trust-remote-code",
    "enforce_eager": "enforce-eager",
}
SIZES = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")


def vllm_arguments(spec: dict[str, Any], version: str, model: str | None = None) -> dict[str, Any]:
    """``{argv, exec, config: {argv, content}, environment, findings}``: see the filter gpufleet.nvidia.vllm_arguments.

    :param spec: one instance as :func:`vllm_spec.instance_of` gives it, without errors
    :param version: the version that is installed or that will be
    :param model: where the model lies on the host; None: what the instance says
    """
    sheet = Sheet(spec["name"], flags_of(version))
    for field, flag in PLAIN.items():
        value = spec[field]
        if value is not None and value != {}:
            sheet.add(flag, value, field)
    for field, flag in SWITCHES.items():
        if spec[field]:
            sheet.add(flag, True, field)
    for field in SIZES:
        if spec[field] > 1:
            sheet.add(field.replace("_", "-"), spec[field], field)
    if spec["kv_cache_mib"]:
        sheet.add("kv-cache-memory-bytes", spec["kv_cache_mib"] * 1024**2, "kv_cache_mib")
    _add_task(sheet, spec)
    _add_log_requests(sheet, spec)
    _add_parsers(sheet, spec)
    _add_lora(sheet, spec)
    add_speculation(sheet, spec)
    environment = {name: text_of(value) for name, value in sorted(spec["environment"].items())}
    environment.update(_engine(sheet, spec))
    add_extra(sheet, spec)
    place = model or spec["model"]
    argv = ["serve", place, *(word for option in sheet.options for word in option.argv())]
    return {
        "argv": argv,
        "exec": exec_line(argv),
        "config": config_of(place, sheet.options, sheet.flags),
        "environment": environment,
        "findings": sheet.findings,
    }


def _add_task(sheet: Sheet, spec: dict[str, Any]) -> None:
    task, rows = spec["task"], table()["tasks"][spec["task"]]
    row = row_at(rows, sheet.flags.version)
    if row is None:
        text = f"vLLM {sheet.flags.version} cannot do the task {task}; {when(rows, sheet.flags.version)}."
        sheet.refuse("vllm_task_missing", f"{text} Take that, or another task.")
        return
    for flag, value in row["arguments"].items():
        sheet.add(flag, value, f"task {task}")
    convert = spec["convert"]
    if "runner" in row["arguments"] and convert != "auto":
        sheet.add("convert", convert, "convert")
    elif task in ("score", "rerank", "reward") and convert not in ("auto", "none"):
        sheet.add("convert", convert, "convert")  # no option of the old releases says this


def _add_log_requests(sheet: Sheet, spec: dict[str, Any]) -> None:
    """Requests are logged by default up to the release that has an option to switch it on."""
    if "enable-log-requests" in sheet.flags.kinds:
        if spec["log_requests"]:
            sheet.add("enable-log-requests", True, "log_requests")
    elif not spec["log_requests"]:
        sheet.add("disable-log-requests", True, "log_requests: false")


def _add_parsers(sheet: Sheet, spec: dict[str, Any]) -> None:
    if spec["tool_call_parser"]:
        sheet.add("enable-auto-tool-choice", True, "tool_call_parser")
        sheet.add("tool-call-parser", spec["tool_call_parser"], "tool_call_parser")
    if spec["reasoning_parser"]:
        sheet.add("reasoning-parser", spec["reasoning_parser"], "reasoning_parser")
        if sheet.flags.can("reasoning_switch"):
            sheet.add("enable-reasoning", True, "reasoning_parser")


def _add_lora(sheet: Sheet, spec: dict[str, Any]) -> None:
    want = spec["lora"]
    if not want:
        return
    sheet.add("enable-lora", True, "lora")
    version = sheet.flags.version
    modules: list[Any] = []
    for row in want["modules"]:
        if row["base_model"] is None:
            modules.append(f"{row['name']}={row['path']}")
        elif sheet.flags.can("lora_base_model"):
            modules.append({"name": row["name"], "path": row["path"], "base_model_name": row["base_model"]})
        else:
            rows = table()["abilities"]["lora_base_model"]
            text = f"lora.modules names a base_model, which vLLM {version} does not know; {when(rows, version)}."
            sheet.refuse("vllm_option_missing", f"{text} Take that, or leave it out.")
    if modules:
        sheet.add("lora-modules", modules, "lora.modules")
    for field, flag in (("max_rank", "max-lora-rank"), ("max_loras", "max-loras"), ("max_cpu_loras", "max-cpu-loras")):
        if want[field]:
            sheet.add(flag, want[field], f"lora.{field}")


def _engine(sheet: Sheet, spec: dict[str, Any]) -> dict[str, str]:
    """The variable that chooses between the engines, where there are two and one is asked for."""
    engine = spec["engine"]
    if engine is None:
        return {}
    if not sheet.flags.can(f"engine_{engine}"):
        rows = table()["abilities"][f"engine_{engine}"]
        text = f"vLLM {sheet.flags.version} has no engine {engine.upper()}; {when(rows, sheet.flags.version)}."
        sheet.refuse("vllm_engine_missing", f"{text} Take that, or leave engine out.")
        return {}
    return {"VLLM_USE_V1": "01"[engine == "v1"]} if sheet.flags.can("engine_choice") else {}
