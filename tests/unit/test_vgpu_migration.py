"""Are hosts alike in what a machine with a virtual GPU needs? The cards are written after documentation."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_migration import RULES, vgpu_migration
from tests.unit.test_mdev_plan import card


def host(version="580.95.02", devices=("8Q",), ecc=False, board="P40", framework="mdev"):
    row, there = card(board, devices=devices)
    row.update(ecc={"current": ecc, "pending": ecc}, framework=framework)
    return {"driver": {"loaded": {"version": version}}, "mdev": {"cards": [row], "devices": there, "services": {}}}


def columns(result):
    return [found["column"] for found in result["differences"]]


def test_hosts_that_are_alike_are_ready():
    result = vgpu_migration({"b": host(), "a": host(devices=["8Q", "8Q"])})
    assert result["ready"] and result["says"] == [] and [row["host"] for row in result["hosts"]] == ["a", "b"]
    assert result["hosts"][0]["release"] == "19.2" and result["hosts"][0]["split"] == "8 GB"
    assert not any("!" in line for line in result["table"])


def test_a_host_that_is_whole_differs_from_none():
    assert vgpu_migration({"a": host(), "b": host(devices=[])})["ready"]


@pytest.mark.parametrize(
    ("other", "column"),
    [
        (host("535.309.01"), "release"),
        (host("580.126.08"), "release"),
        (host(ecc=True), "ecc"),
        (host(devices=["3Q"]), "split"),
        (host(board="L40S", devices=["8C"]), "cards"),
        (host(framework="vendor_vfio"), "interface"),
        (host("580.95.99"), "release"),
    ],
)
def test_each_difference_is_named_with_its_cell(other, column):
    result = vgpu_migration({"a": host(), "b": host(), "odd": other})
    assert not result["ready"] and columns(result) == [column]
    assert result["differences"][0]["hosts"] == ["odd"]
    heading, *lines = result["table"]
    assert [line.split()[0] for line in lines if "!" in line] == ["odd"]
    at = heading.index(column)
    assert lines[-1][at:].split("  ")[0].endswith("!")
    assert "on odd" in result["says"][0] and RULES[column] in result["says"][0]


def test_cards_of_one_host_that_differ_in_ecc_are_a_difference_too():
    both = host()
    second = copy.deepcopy(both["mdev"]["cards"][0])
    second.update(address="0000:06:00.0", ecc={"current": True, "pending": True})
    both["mdev"]["cards"].append(second)
    result = vgpu_migration({"a": both, "b": copy.deepcopy(both)})
    assert columns(result) == ["ecc"] and result["differences"][0]["hosts"] == ["a", "b"]


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        ({"a": host(), "b": None}, "b: nothing could be read"),
        ({"a": host(), "b": {"mdev": None}}, "b: no card can be cut"),
        ({"a": host()}, "not two hosts"),
        ({}, "not two hosts"),
    ],
)
def test_hosts_that_cannot_be_compared_are_said(hosts, words):
    result = vgpu_migration(hosts)
    assert not result["ready"] and any(words in said for said in result["says"])


@given(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.none()
        | st.builds(
            host,
            st.sampled_from(["580.95.02", "535.309.01", "999.1"]),
            st.sampled_from([[], ["8Q"], ["3Q"]]),
            st.booleans(),
        ),
    )
)
def test_ready_means_that_nothing_is_said_and_the_table_has_all(hosts):
    result = vgpu_migration(hosts)
    assert result["ready"] == (not result["says"]) and len(result["table"]) == len(hosts) + 1
    assert result["ready"] <= (None not in hosts.values())
    assert bool(result["differences"]) == any("!" in line for line in result["table"])
