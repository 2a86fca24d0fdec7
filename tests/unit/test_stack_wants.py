"""What can be asked for: short forms, variables of roles, and what is neither."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_wants import nearest, wants_of
from tests.unit.golden.hosts import codes, host, text_of

KNOWN = ["13.4", "13.0", "12.9", "12.8", "12.6", "11.8"]


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ({"cuda": "12.6"}, {"cuda": {"versions": ["12.6"]}}),
        ({"cuda": 12.6}, {"cuda": {"versions": ["12.6"]}}),
        ({"cuda": ["11.8", "12.6"]}, {"cuda": {"versions": ["11.8", "12.6"]}}),
        ({"driver_branch": "535"}, {"nvidia_driver": {"branch": 535}}),
        ({"driver_version": "535.261.03"}, {"nvidia_driver": {"version": "535.261.03"}}),
        ({"flavour": "open"}, {"nvidia_driver": {"flavour": "open"}}),
        ({"nccl": "auto"}, {"nccl": {"version": "auto"}}),
        ({"vllm": "0.11"}, {"vllm_serve": {"version": "0.11"}}),
        ({}, {"nvidia_driver": {}, "cuda": {"versions": []}, "nccl": {"version": None}, "persistenced": {}}),
    ],
)
def test_short_forms_and_variables_of_roles_mean_the_same(short, full):
    assert wants_of(short) == wants_of(full)
    assert stack(host("debian-12", "p40"), short) == stack(host("debian-12", "p40"), full)


@pytest.mark.parametrize(
    ("wants", "near"),
    [
        ({"cud": "12.6"}, "cuda"),
        ({"driver_brnch": 535}, "driver_branch"),
        ({"cuda": {"version": ["12.6"]}}, "versions"),
        ({"nvidia_drivers": {"branch": 535}}, "nvidia_driver"),
        ({"xyzzy": 1}, "vllm"),
    ],
)
def test_an_unknown_want_is_named_with_the_nearest(wants, near):
    result = stack(host("debian-12", "p40"), wants)
    assert codes(result) == ["want_unknown"]
    assert near in text_of(result, "want_unknown")


def test_two_answers_to_one_question_are_refused():
    result = stack(host("debian-12", "p40"), {"driver_branch": 535, "nvidia_driver": {"branch": 470}})
    assert "want_conflict" in codes(result)
    text = text_of(result, "want_conflict")
    assert "535" in text and "470" in text
    same = stack(host("debian-12", "p40"), {"driver_branch": 535, "nvidia_driver": {"branch": 535}})
    assert codes(same) == []


def test_a_branch_that_is_no_number_is_refused():
    assert codes(stack(host("debian-12", "p40"), {"driver_branch": "latest"})) == ["branch_invalid"]


@pytest.mark.parametrize("role", ["cuda", "nccl"])
def test_what_is_to_be_absent_is_not_wanted(role):
    result = stack(host("debian-12", "p40"), {role: {"state": "absent", "versions": ["12.6"], "version": "auto"}})
    assert not result[role]["wanted"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("12.7", ["12.8", "12.6", "12.9"]), ("14.0", ["13.4", "13.0", "12.9"]), ("new", ["13.4", "13.0", "12.9"])],
)
def test_the_nearest_versions_come_first(asked, expected):
    assert set(nearest(asked, KNOWN)) == set(expected)
    assert nearest("12.6", KNOWN)[0] == "12.6"
