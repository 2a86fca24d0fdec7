"""What nccl-tests says, read from a run on two H200: its text and its JSON, into whose environment a canary was put."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nccl_output
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from tests.unit.captured import fixture

TEXT = fixture("nccl-tests/2.19.6-two-h200.txt")
JSON = fixture("nccl-tests/2.19.6-two-h200.json")


def test_the_text_of_a_real_run_is_read():
    result = _nccl_output.parse_text(TEXT)
    assert [row["size"] for row in result["rows"]] == [8388608, 33554432, 134217728, 536870912]
    last = result["rows"][-1]
    assert last["out_of_place"] == {
        "time_us": 1721.23,
        "algorithm_bandwidth": 311.91,
        "bus_bandwidth": 311.91,
        "wrong": 0,
    }
    assert last["in_place"]["bus_bandwidth"] == 312.81
    assert (result["nccl_version"], result["average_bus_bandwidth"], result["wrong"]) == ("2.28.9", 252.64, 0)
    assert [row["device_info"] for row in result["devices"]] == ["NVIDIA H200", "NVIDIA H200"]


def test_the_json_of_a_real_run_is_read():
    result = _nccl_output.parse_json(JSON)
    assert result["rows"][-1]["size"] == 1073741824
    assert result["rows"][-1]["in_place"]["bus_bandwidth"] == pytest.approx(326.9, abs=0.1)
    assert result["nccl_version"] == "2.28.9"
    assert result["devices"][0]["device_hex"] == "0000:00:06"


def test_nothing_of_the_environment_comes_out():
    assert "canary-in-the-environment" in JSON
    assert "canary-in-the-environment" not in json.dumps(_nccl_output.parse_json(JSON))


def test_wrong_values_are_counted_from_rows_and_from_the_sum():
    assert _nccl_output.parse_text(TEXT.replace("311.91       0", "311.91      17"))["wrong"] == 17
    assert _nccl_output.parse_text(TEXT.replace("values : 0 OK", "values : 4 FAILED"))["wrong"] == 4
    data = json.loads(JSON)
    data["results"][0]["in_place"]["nwrong"] = 3.0
    assert _nccl_output.parse_json(json.dumps(data))["wrong"] == 3


def test_a_collective_without_an_in_place_form_has_one_side():
    text = TEXT.replace("1716.27  312.81  312.81       0", "N/A  N/A  N/A  N/A")
    assert _nccl_output.parse_text(text)["rows"][-1]["in_place"] is None


@pytest.mark.parametrize(
    ("code", "version"), [(22809, "2.28.9"), (2708, "2.7.8"), (None, None), ("x", None), (0, None)]
)
def test_the_number_of_the_library_is_its_version(code, version):
    assert _nccl_output.version_of(code) == version


@pytest.mark.parametrize("text", ["", "Usage: something", "{}", "[]", "null", '{"results": 3}', '{"results": [{}]}'])
def test_what_is_no_result_is_refused_with_a_sentence(text):
    for parse in (_nccl_output.parse_text, _nccl_output.parse_json):
        with pytest.raises(NvidiaError):
            parse(text)


@given(st.text(max_size=300))
def test_any_text_is_a_result_or_a_sentence(text):
    for parse in (_nccl_output.parse_text, _nccl_output.parse_json):
        try:
            assert parse(text)["rows"]
        except NvidiaError as exc:
            assert "nccl-tests" in str(exc)
