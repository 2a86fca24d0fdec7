"""The threshold of hosts that were measured, and of none else."""

from __future__ import annotations

import copy
import json

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.nccl_threshold import _table, nccl_threshold
from tests.unit.captured import fixture

REAL = json.loads(fixture("h200/facts.json"))


def test_two_linked_h200_must_reach_most_of_what_was_measured():
    assert nccl_threshold(REAL) == pytest.approx(326.9 * 0.85, abs=0.1)


def test_another_number_or_no_links_are_another_host():
    assert nccl_threshold(REAL, 4) is None
    alone = copy.deepcopy(REAL)
    for gpu in alone["gpus"]:
        gpu["nvlinks"] = {"active": 0, "links": []}
    assert nccl_threshold(alone) is None
    assert nccl_threshold({}) is None


def test_every_measurement_has_its_source_and_its_board():
    for row in _table()["measured"]:
        assert set(row["src"]) <= set(load().sources) and row["device"] in load().boards
