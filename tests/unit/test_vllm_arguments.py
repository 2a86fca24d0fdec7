"""One want, said to every release of vLLM as that release says it."""

from __future__ import annotations

import json
import random

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.filter.vllm_arguments import FilterModule
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_arguments import vllm_arguments
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_flags import flags_of, table
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_spec import instance_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_written import exec_line
from tests.unit.vllm_parser_stand_in import parsed, releases
from tests.unit.vllm_specs import DRAFT, EMBEDDING, LLM, RERANKER, declared, spec

JSON_SINCE = releases().index("0.8.2")


def codes(written, severity="error"):
    return [row["code"] for row in written["findings"] if row["severity"] == severity]


def said(release, **changes):
    """What the release's own parser makes of the line."""
    written = vllm_arguments(spec(**changes), release)
    assert codes(written) == [], written["findings"]
    return parsed(release, written["argv"])


@pytest.mark.parametrize("release", releases())
def test_the_report_s_language_model_is_understood_by_every_release(release):
    got = said(release, **LLM)
    assert (got["model_tag"], got["port"], got["tensor_parallel_size"]) == ("/srv/models/qwen", 58001, 2)
    assert (got["max_model_len"], got["gpu_memory_utilization"]) in ((10240, 0.7), ("10240", 0.7))
    assert (got["served_model_name"], got["enable_prefix_caching"]) == (["Qwen2.5"], True)
    assert not {"task", "runner", "convert", "api_key", "pipeline_parallel_size"} & set(got)


@pytest.mark.parametrize("release", releases())
def test_the_report_s_embedding_and_reranker_are_asked_for_as_the_release_does(release):
    place = releases().index(release)
    for row, first, word in ((EMBEDDING, "0.6.4.post1", "embed"), (RERANKER, "0.7.3", "score")):
        written = vllm_arguments(instance_of(row)[0], release)
        if place < releases().index(first):
            assert codes(written) == ["vllm_task_missing"]
            assert "is the first that can" in written["findings"][0]["text"]
            continue
        got = parsed(release, written["argv"])
        if place < releases().index("0.10.1"):
            assert got["task"] == ("embedding" if release == "0.6.4.post1" else word)
        else:
            assert got["runner"] == "pooling"
            assert "task" not in got


@pytest.mark.parametrize("release", releases())
def test_a_draft_model_is_said_in_options_then_in_json_and_refused_between(release):
    written, place = vllm_arguments(spec(**DRAFT), release), releases().index(release)
    if releases().index("0.10.0") <= place < releases().index("0.16.0"):
        assert codes(written) == ["vllm_speculation_missing"]
        assert "vLLM 0.16.0 is the first that can" in written["findings"][0]["text"]
        return
    got = parsed(release, written["argv"])
    if place < JSON_SINCE:
        assert (got["speculative_model"], got["num_speculative_tokens"]) == ("/srv/models/small", 5)
        assert got.get("use_v2_block_manager", False) == (release == "0.5.4")
    else:
        config = got["speculative_config"]
        config = json.loads(config) if isinstance(config, str) else config
        assert config["model"] == "/srv/models/small"
        assert config.get("method") == ("draft_model" if place >= releases().index("0.16.0") else None)


@pytest.mark.parametrize("release", releases())
def test_guessing_by_ngrams_is_understood_by_every_release(release):
    got = said(release, speculation={"method": "ngram", "tokens": 4, "prompt_lookup_max": 3})
    config = got.get("speculative_config")
    config = json.loads(config) if isinstance(config, str) else config
    lookup = config["prompt_lookup_max"] if config else got["ngram_prompt_lookup_max"]
    assert lookup == 3


def test_a_draft_has_the_model_s_size_where_the_release_wants_it():
    one = {**DRAFT, "speculation": {**DRAFT["speculation"], "tensor_parallel_size": 1}}
    assert codes(vllm_arguments(spec(**one), "0.8.5")) == []
    assert codes(vllm_arguments(spec(**one), "0.20.2")) == ["vllm_speculation_size"]
    three = {**DRAFT, "speculation": {**DRAFT["speculation"], "tensor_parallel_size": 3}}
    assert codes(vllm_arguments(spec(**three), "0.8.5")) == ["vllm_speculation_size"]


@pytest.mark.parametrize(
    ("release", "changes", "code"),
    [
        ("0.5.4", {"chunked_prefill": True}, "vllm_speculation_chunks"),
        ("0.6.4.post1", {"chunked_prefill": True}, "vllm_speculation_chunks"),
        ("0.6.4.post1", {"chunked_prefill": True, "tensor_parallel_size": 1}, None),
        ("0.8.5", {"chunked_prefill": True}, None),
        ("0.9.2", {"engine": "v1"}, "vllm_speculation_engine"),
    ],
)
def test_what_excludes_a_draft_is_told(release, changes, code):
    assert codes(vllm_arguments(spec(**{**DRAFT, **changes}), release)) == ([code] if code else [])


@pytest.mark.parametrize(
    ("release", "engine", "environment", "code"),
    [
        ("0.5.4", "v1", {}, "vllm_engine_missing"),
        ("0.8.5", "v1", {"VLLM_USE_V1": "1"}, None),
        ("0.8.5", "v0", {"VLLM_USE_V1": "0"}, None),
        ("0.10.2", "v0", {"VLLM_USE_V1": "0"}, None),
        ("0.11.0", "v0", {}, "vllm_engine_missing"),
        ("0.11.1", "v1", {}, None),
        ("0.33.0", "v0", {}, "vllm_engine_missing"),
    ],
)
def test_an_engine_is_chosen_where_there_are_two(release, engine, environment, code):
    written = vllm_arguments(spec(engine=engine), release)
    assert (written["environment"], codes(written)) == (environment, [code] if code else [])


@pytest.mark.parametrize("release", releases())
def test_requests_are_logged_only_when_asked_for(release):
    quiet, loud = said(release), said(release, log_requests=True)
    if releases().index(release) < releases().index("0.10.1"):
        assert quiet["disable_log_requests"] is True
        assert "disable_log_requests" not in loud
    else:
        assert "enable_log_requests" not in quiet
        assert loud["enable_log_requests"] is True


@pytest.mark.parametrize("release", releases())
def test_a_switch_is_set_off_as_the_release_does(release):
    got = said(release, chunked_prefill=False, prefix_caching=False)
    assert got.get("enable_chunked_prefill") in (False, "false")
    assert got.get("enable_prefix_caching", False) is False


@pytest.mark.parametrize(
    ("release", "changes", "sentence"),
    [
        ("0.9.2", {"kv_cache_mib": 512}, "vLLM 0.10.2 is the first that can"),
        ("0.17.1", {"shutdown_timeout": 30}, "vLLM 0.18.0 is the first that can"),
        ("0.18.0", {"arguments": {"swap-space": 4}}, "vLLM 0.17.1 was the last that could"),
        ("0.12.0", {"arguments": {"rope-theta": 1}}, "vLLM 0.11.0 was the last that could"),
        ("0.7.3", {"data_parallel_size": 2}, "vLLM 0.8.3 is the first that can"),
    ],
)
def test_a_want_that_the_release_cannot_do_names_one_that_can(release, changes, sentence):
    written = vllm_arguments(spec(**changes), release)
    assert codes(written) == ["vllm_option_missing"]
    assert sentence in written["findings"][0]["text"]


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        ({"max-num-sequences": 4}, "vllm_option_unknown", "did you mean"),
        ({"tensor-parallel-siz": 2}, "vllm_option_unknown", "tensor-parallel-size"),
        ({"max-model-len": 9}, "vllm_option_owned", "max_model_len"),
        ({"--no-enable-prefix-caching": True}, "vllm_option_owned", "prefix_caching"),
        ({"disable-prefix-caching": True}, "vllm_option_owned", "prefix_caching"),
        ({"api_key": "x"}, "vllm_secret_argument", "vllm_serve_api_key"),
        ({"hf-token": "x"}, "vllm_secret_argument", "vllm_serve_hf_token"),
        ({"config": "/etc/x.yaml"}, "vllm_option_refused", "second file"),
        ({"seed": None}, "vllm_option_value", "no value"),
        ({"seed": True}, "vllm_option_value", "takes a value"),
        ({"enable-sleep-mode": "yes"}, "vllm_option_value", "true or false"),
        ({"middleware": []}, "vllm_option_value", "no value"),
        ({"seed": 1, "--seed": 2}, "vllm_option_twice", "two spellings"),
    ],
)
def test_arguments_of_vllm_itself_are_held_to_its_options(arguments, code, hint):
    written = vllm_arguments(spec(arguments=arguments), "0.20.2")
    assert codes(written) == [code]
    assert hint in written["findings"][0]["text"]


def test_a_secret_never_appears_in_what_is_written():
    written = vllm_arguments(spec(arguments={"api-key": "s3cret", "hf-token": "s3cret"}), "0.20.2")
    assert "s3cret" not in json.dumps(written)


def test_arguments_of_every_kind_are_written():
    extra = {"seed": -1, "middleware": ["a.B", "c.D"], "enable-sleep-mode": True, "compilation_config": {"mode": 3}}
    got = said("0.20.2", arguments={**extra, "no-enable-log-outputs": True, "allowed-origins": ["*"]})
    assert (got["seed"], got["middleware"], got["enable_sleep_mode"]) == (-1, ["a.B", "c.D"], True)
    assert json.loads(str(got["compilation_config"]).replace("'", '"')) == {"mode": 3}
    assert (got["enable_log_outputs"], got["allowed_origins"]) == (False, ["*"])


@pytest.mark.parametrize(
    ("release", "changes", "code", "severity"),
    [
        ("0.8.5", {"quantization": "nonsense"}, "vllm_value_unknown", "error"),
        ("0.20.2", {"quantization": "nonsense"}, "vllm_value_unknown", "error"),
        ("0.33.0", {"quantization": "gguf"}, "vllm_value_elsewhere", "warning"),
        ("0.33.0", {"kv_cache_dtype": "nonsense"}, "vllm_value_unknown", "error"),
        ("0.8.5", {"kv_cache_dtype": "nvfp4"}, "vllm_value_unknown", "error"),
        ("0.20.2", {"load_format": "bogus"}, "vllm_value_unknown", "error"),
    ],
)
def test_values_that_the_parsers_let_pass_are_looked_at(release, changes, code, severity):
    assert codes(vllm_arguments(spec(**changes), release), severity) == [code]


def test_adapters_are_named():
    lora = {"modules": [{"name": "law", "path": "/srv/law"}], "max_rank": 16}
    got = said("0.5.4", lora=lora)
    assert (got["enable_lora"], got["lora_modules"], got["max_lora_rank"]) == (True, ["law=/srv/law"], 16)
    based = {"modules": [{"name": "law", "path": "/srv/law", "base_model": "org/m"}]}
    assert json.loads(said("0.20.2", lora=based)["lora_modules"][0])["base_model_name"] == "org/m"
    assert codes(vllm_arguments(spec(lora=based), "0.5.4")) == ["vllm_option_missing"]


def test_a_file_of_options_holds_what_every_release_reads_the_same():
    assert vllm_arguments(spec(), "0.7.3")["config"]["content"] is None
    written = vllm_arguments(spec(prefix_caching=False, hf_overrides={"a": 1}, served_names=["a", "b"]), "0.9.2")
    inside = yaml.safe_load(written["config"]["content"])
    assert written["config"]["argv"] == ["serve", "/srv/models/qwen", "--served-model-name", "a", "b"]
    assert (inside["no-enable-prefix-caching"], inside["hf-overrides"]) == (True, '{"a":1}')
    assert set(map(type, inside.values())) == {str, bool}
    assert False not in inside.values()


def test_a_line_for_systemd_is_quoted():
    assert exec_line(["a", "b c", '{"x":"$1%"}', "\\"]) == 'a "b c" "{\\"x\\":\\"$$1%%\\"}" "\\\\"'


def test_the_filter_says_what_is_wrong_with_the_instance_itself():
    arguments = FilterModule().filters()["vllm_arguments"]
    wrong = arguments({"name": "llm", "prot": 1}, "0.20.2")
    assert wrong["argv"] == []
    assert {row["code"] for row in wrong["findings"]} == {"vllm_field_unknown", "vllm_field_missing"}
    right = arguments(LLM, "0.20.2", "/srv/other")
    assert right["argv"][:2] == ["serve", "/srv/other"]
    assert arguments({"name": "x", "state": "absent"}, "0.20.2") == {
        "argv": [],
        "exec": "",
        "config": {"argv": [], "content": None},
        "environment": {},
        "findings": [],
    }


@given(declared(), st.sampled_from(table()["releases"]), st.randoms())
def test_the_same_want_is_always_the_same_line(row, release, order):
    filled = instance_of(row)[0]
    items = list(row.items())
    random.Random(order.random()).shuffle(items)
    again = instance_of({key: dict(reversed(v.items())) if isinstance(v, dict) else v for key, v in items})[0]
    assert vllm_arguments(filled, release)["argv"] == vllm_arguments(again, release)["argv"]


@given(declared(), st.sampled_from(table()["releases"]))
def test_every_option_that_is_written_exists_in_that_release(row, release):
    filled = instance_of(row)[0]
    kinds = flags_of(release).kinds
    for word in vllm_arguments(filled, release)["argv"]:
        if word.startswith("--"):
            name = word[2:].split("=")[0]
            assert name in kinds or kinds.get(name.removeprefix("no-")) == "pair", word


@given(declared(), st.sampled_from(releases()))
def test_a_line_without_findings_is_taken_by_the_release_s_parser(row, release):
    filled, found = instance_of(row)
    written = vllm_arguments(filled, release)
    if not found and not written["findings"] and not row.get("arguments"):
        assert parsed(release, written["argv"])["port"] == row["port"]
