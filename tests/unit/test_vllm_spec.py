"""What a person declares becomes one shape, or sentences that say what to change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_options import role_options
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_environment import text_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_fields import FIELDS
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_spec import instance_of, instances_of
from tests.unit.vllm_specs import DRAFT, EMBEDDING, LLM, RERANKER, declared, spec

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def codes(row):
    return [found["code"] for found in instance_of(row)[1]]


@pytest.mark.parametrize("row", [LLM, DRAFT, EMBEDDING, RERANKER])
def test_the_report_s_services_are_right(row):
    filled, found = instance_of(row)
    assert found == []
    assert filled["valid"]
    assert set(filled) == {*FIELDS, "valid"}


def test_numbers_and_switches_may_be_text():
    filled = spec(port="58001", gpu_memory_share="0.5", trust_remote_code="yes", gpus=["0", "1"])
    assert (filled["port"], filled["gpu_memory_share"], filled["trust_remote_code"]) == (58001, 0.5, True)
    assert filled["gpus"] == [0, 1]


def test_an_instance_serves_under_its_own_name_unless_told():
    assert spec(served_names=[])["served_names"] == ["llm"]
    assert spec(served_names="a")["served_names"] == ["a"]


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"port": 99999}, "from 1024 to 65535"),
        ({"port": 80}, "from 1024 to 65535"),
        ({"port": True}, "not a whole number"),
        ({"tensor_parallel_size": 0}, "at least 1"),
        ({"gpu_memory_share": 1.5}, "from 0.01 to 1"),
        ({"gpu_memory_share": 0}, "from 0.01 to 1"),
        ({"gpu_memory_share": float("nan")}, "from 0.01 to 1"),
        ({"max_num_seqs": 0}, "at least 1"),
        ({"max_model_len": "10k"}, "digits alone"),
        ({"task": "embedding"}, "did you mean embed?"),
        ({"task": "paint"}, "Take one of generate"),
        ({"dtype": "fp16"}, "none of its choices"),
        ({"trust_remote_code": "maybe"}, "neither true nor false"),
        ({"model": ["a"]}, "not a text"),
        ({"model": "a\nb"}, "control characters"),
        ({"revision": 1.5}, "Put it in quotes"),
        ({"speculation": "ngram"}, "not a mapping"),
        ({"gpus": [-1]}, "at least 0"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_right(changes, part):
    row, (found, *others) = instance_of({**LLM, **changes})
    assert (found["code"], others) == ("vllm_field_invalid", [])
    assert found["text"].startswith(f"Instance llm: {next(iter(changes))} is ")
    assert part in found["text"]
    assert not row["valid"]


@pytest.mark.parametrize(
    ("row", "near"),
    [
        ({"prot": 1}, "did you mean port?"),
        ({"tensor_paralel_size": 2}, "did you mean tensor_parallel_size?"),
        ({"speculation": {"method": "ngram", "tokens": 2, "prompt_lookup_max": 2, "modl": 1}}, "speculation.model?"),
        ({"zzz": 1}, "go into arguments"),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest(row, near):
    found = instance_of({**LLM, **row})[1]
    assert [one["code"] for one in found] == ["vllm_field_unknown"]
    assert near in found[0]["text"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "LLM 1"}, "vllm_name_invalid"),
        ({"host": "http://x"}, "vllm_host_invalid"),
        ({"host": "10.0.0.1:8000"}, "vllm_host_invalid"),
        ({"served_names": ["a", "a"]}, "vllm_served_name_twice"),
        ({"served_names": ["-a"]}, "vllm_served_name_invalid"),
        ({"model": "-x"}, "vllm_model_invalid"),
        ({"chat_template": "x.jinja"}, "vllm_chat_template_relative"),
        ({"gpus": [0, 0]}, "vllm_gpu_twice"),
        ({"gpus": [0, 1, 2]}, "vllm_gpus_and_sizes"),
        ({"max_num_batched_tokens": 8, "max_num_seqs": 9}, "vllm_batch_too_small"),
        ({"max_num_batched_tokens": 512, "chunked_prefill": False}, "vllm_batch_too_small"),
        ({"convert": "embed"}, "vllm_convert_and_task"),
        ({"task": "embed", "convert": "classify"}, "vllm_convert_and_task"),
        ({"task": "score", "convert": "embed"}, "vllm_convert_and_task"),
        ({"task": "embed", "tool_call_parser": "hermes"}, "vllm_only_for_generate"),
        ({**DRAFT, "task": "embed"}, "vllm_only_for_generate"),
        ({"speculation": {"method": "draft_model", "tokens": 2}}, "vllm_speculation_model"),
        (
            {"speculation": {"method": "ngram", "tokens": 2, "prompt_lookup_max": 2, "model": "m"}},
            "vllm_speculation_model",
        ),
        ({"speculation": {"method": "ngram", "tokens": 2}}, "vllm_speculation_lookup"),
        (
            {"speculation": {"method": "ngram", "tokens": 2, "prompt_lookup_max": 2, "prompt_lookup_min": 3}},
            "vllm_speculation_lookup",
        ),
        (
            {"speculation": {"method": "eagle", "tokens": 2, "model": "m", "prompt_lookup_max": 2}},
            "vllm_speculation_lookup",
        ),
        ({"lora": {"modules": [{"name": "Qwen2.5", "path": "/x"}]}}, "vllm_served_name_twice"),
        ({"lora": {"modules": [{"name": "a=b", "path": "/x"}]}}, "vllm_lora_name"),
        ({"lora": {"max_loras": 4, "max_cpu_loras": 2}}, "vllm_lora_counts"),
        ({"lora": {"modules": [{"path": "/x"}]}}, "vllm_field_missing"),
        ({"environment": {"VLLM_API_KEY": "x"}}, "vllm_environment_owned"),
        ({"environment": {"CUDA_VISIBLE_DEVICES": "0"}}, "vllm_environment_owned"),
        ({"environment": {"WANDB_API_KEY": "x"}}, "vllm_environment_secret"),
        ({"environment": {"a-b": "x"}}, "vllm_environment_name"),
        ({"environment": {"A": "x\ny"}}, "vllm_environment_value"),
        ({"environment": {"A": None}}, "vllm_environment_value"),
        ({"environment": {"VLLM_PORT": 58001}}, "vllm_environment_port"),
        ({"environment": {"VLLM_SERVER_DEV_MODE": "1"}}, "vllm_development_routes"),
        ({"environment": {"VLLM_USE_MODELSCOPE": "True"}}, "vllm_modelscope_at_start"),
    ],
)
def test_what_contradicts_itself_is_told(changes, code):
    assert codes({**LLM, **changes}) == [code]


def test_ordinary_variables_of_the_environment_are_taken():
    row = {**LLM, "environment": {"NCCL_P2P_DISABLE": 1, "TOKENIZERS_PARALLELISM": False, "VLLM_PORT": 20000}}
    assert codes(row) == []
    assert [text_of(value) for value in (True, False, 1, "x")] == ["1", "0", "1", "x"]


def test_a_secret_s_value_is_in_no_sentence():
    found = instance_of({**LLM, "environment": {"HF_TOKEN": "s3cret", "X_SECRET": "s3cret"}})[1]
    assert "s3cret" not in str(found)


def test_everything_is_told_at_once_and_wrong_instances_are_still_held_against_the_others():
    rows = [{**LLM, "task": "paint"}, {**LLM, "prot": 1}, "x", {"port": "y"}]
    specs, found = instances_of(rows)
    assert [row["name"] for row in specs] == ["llm", "llm", "4"]
    assert [row["port"] for row in specs] == [58001, 58001, None]
    assert not any(row["valid"] for row in specs)
    assert {row["code"] for row in found} == {
        "vllm_field_invalid",
        "vllm_field_unknown",
        "vllm_spec_invalid",
        "vllm_field_missing",
        "vllm_name_twice",
    }
    assert instances_of({"name": "llm"})[1][0]["code"] == "vllm_spec_invalid"


def test_an_instance_that_is_to_go_needs_nothing_but_its_name():
    filled, found = instance_of({"name": "old", "state": "absent", "port": 99999})
    assert (filled["valid"], found) == (True, [])


def test_the_role_s_options_are_the_fields():
    """Once the role is there: the same names, types, choices and defaults."""
    options = role_options().get("vllm_serve")
    if options is None:
        pytest.skip("the role vllm_serve is not there")
    agree(options["instances"]["options"], FIELDS)


def agree(options, fields):
    assert set(options) == set(fields)
    for name, field in fields.items():
        option = options[name]
        assert option["type"] == field.kind, name
        assert tuple(option.get("choices", ())) == field.choices, name
        assert option.get("default", field.default if field.default in ([], {}) else None) == field.default, name
        assert option.get("elements") == field.elements, name
        assert option.get("required", False) == (field.required and name != "model" and name != "port"), name
        if field.fields:
            agree(option["options"], field.fields)


@given(VALUES)
def test_nothing_that_is_declared_crashes(value):
    specs, found = instances_of([value, {"name": value, "model": value, "port": value, "gpus": value, "lora": value}])
    assert found
    assert all(set(row) == {*FIELDS, "valid"} for row in specs)


@given(declared())
def test_a_filled_instance_is_filled_again_to_the_same(row):
    filled, found = instance_of(row)
    if not found:
        again = {key: value for key, value in filled.items() if key != "valid" and value is not None}
        assert instance_of(again) == (filled, [])


@given(st.sampled_from(sorted(FIELDS)), st.data())
def test_a_misspelt_field_is_answered_with_a_field(name, data):
    place = data.draw(st.integers(0, len(name) - 1))
    wrong = name[:place] + name[place + 1 :]
    found = instance_of({**LLM, wrong: 1})[1]
    unknown = [row["text"] for row in found if row["code"] == "vllm_field_unknown"]
    assert wrong in FIELDS or any(f"no field {wrong}: did you mean" in text for text in unknown) or len(wrong) < 4
