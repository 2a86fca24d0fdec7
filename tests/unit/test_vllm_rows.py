"""Rows of the lists beside the instances, and what of the wrong kind is found in them, all of it in one report."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_options import role_options
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_doors import vllm_doors
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_models_wanted import models_wanted
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_nodes import node_findings, vllm_nodes
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_plan import vllm_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_rows import TABLES, rows_of
from tests.unit.golden.hosts import host
from tests.unit.vllm_specs import LLM

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NODE = {"instance": "llm", "hosts": ["big"], "address": "10.0.0.1"}
GROUPS = {"all": ["a", "b", "c"], "big": ["a", "b"]}


def codes(findings):
    return [row["code"] for row in findings]


def test_all_that_is_of_the_wrong_kind_comes_in_one_report():
    facts = host("ubuntu-24.04", "a6000", "a6000")
    wants = {
        "version": "0.20.2",
        "instances": ["llm", {**LLM, "port": "abc"}, {**LLM, "name": "b", "gpu_memory_share": [1]}],
        "declared_models": [{"name": "m", "source": "elsewhere"}],
        "declared_nodes": {"instance": "llm"},
    }
    findings = vllm_plan(facts, stack(facts, {"vllm": "0.20.2"}), wants)["findings"]
    said = " ".join(row["text"] for row in findings if row["severity"] == "error")
    for part in ("is 'llm', not a mapping", "port is 'abc'", "gpu_memory_share is [1]", "source is 'elsewhere'"):
        assert part in said
    assert "vllm_serve_nodes is {'instance': 'llm'}, not a list" in said


@pytest.mark.parametrize("wrong", ["llm", {"name": "llm"}, 5, True])
def test_instances_that_are_no_list_are_refused_in_the_plan(wrong):
    facts = host("ubuntu-24.04", "a6000")
    plan = vllm_plan(facts, stack(facts, {"vllm": "0.20.2"}), {"version": "0.20.2", "instances": wrong})
    assert codes(plan["findings"]) == ["vllm_spec_invalid"]
    assert models_wanted(wrong, [], "huggingface") == []


@pytest.mark.parametrize("variable", TABLES)
@given(value=VALUES)
def test_nothing_that_is_declared_crashes(variable, value):
    _what, _key, fields = TABLES[variable]
    for given_rows in (value, [value], [dict.fromkeys(fields, value)]):
        rows, found = rows_of(given_rows, variable)
        assert all(set(row) == set(fields) for row in rows)
        assert rows or found or given_rows in (None, [])
        assert {row["source"] for row in found} <= {variable}


@given(value=VALUES)
def test_rows_of_any_kind_leave_doors_hosts_and_models_whole(value):
    facts = host("ubuntu-24.04", "a6000")
    plan = vllm_plan(facts, stack(facts, {"vllm": "0.20.2"}), {"version": "0.20.2", "instances": []})
    vllm_doors(plan, value)
    vllm_nodes(value, "a", GROUPS)
    node_findings(value, GROUPS, ["llm"], ["llm"], [])
    models_wanted(value, value, "huggingface")


@pytest.mark.parametrize("variable", TABLES)
def test_the_fields_are_those_that_the_role_documents(variable):
    option = role_options()["vllm_serve"][variable.removeprefix("vllm_serve_")]
    _what, _key, fields = TABLES[variable]
    assert option["type"] == "raw"
    assert set(option["options"]) == set(fields)
    for name, field in fields.items():
        told = option["options"][name]
        assert told["type"].replace("path", "str") == field.kind, name
        assert (told.get("elements"), tuple(told.get("choices", ()))) == (field.elements, field.choices), name
        assert told.get("required", False) == field.required, name
        assert told.get("default", field.default if field.default in ([], {}) else None) == field.default, name


def test_hosts_are_named_by_groups_and_their_order_is_kept():
    assert vllm_nodes([NODE], "b", GROUPS)["llm"] == {
        "count": 2, "rank": 1, "address": "10.0.0.1", "port": 29501, "interface": None,
    }  # fmt: skip
    assert vllm_nodes([{**NODE, "hosts": ["c", "big"]}], "a", GROUPS)["llm"]["rank"] == 1
    assert node_findings([NODE], GROUPS, ["llm"], ["llm"], []) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"hosts": ["a", "nobody"]}, "vllm_nodes_unknown"),
        ({"hosts": ["a"]}, "vllm_nodes_few"),
        ({"hosts": []}, "vllm_nodes_few"),
        ({"instance": "other"}, "vllm_nodes_for_nobody"),
        ({"port": 99999}, "vllm_field_invalid"),
        ({"adress": "10.0.0.1"}, "vllm_field_unknown"),
        ({"address": None}, "vllm_field_missing"),
    ],
)
def test_rows_of_hosts_that_cannot_work_are_named(changes, code):
    assert code in codes(node_findings([{**NODE, **changes}], GROUPS, ["llm"], ["llm", "other"], []))


def test_rows_for_other_hosts_are_none_of_this_one_s_business():
    assert node_findings([NODE], GROUPS, [], [], []) == []


def test_hosts_of_one_instance_that_a_run_leaves_out_are_named():
    assert node_findings([NODE], GROUPS, ["llm"], ["llm"], ["a", "b"]) == []
    (found,) = node_findings([NODE], GROUPS, ["llm"], ["llm"], ["a"])
    assert (found["severity"], found["code"]) == ("warning", "vllm_nodes_apart")
    assert "goes to b later" in found["text"]


def test_one_instance_in_two_rows_is_named():
    assert codes(node_findings([NODE, NODE], GROUPS, ["llm"], ["llm"], [])) == ["vllm_nodes_twice"]
