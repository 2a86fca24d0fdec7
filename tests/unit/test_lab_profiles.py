"""The lab's profiles: each is sound, and each card of each profile is what it says."""

from __future__ import annotations

import copy
import json
import re

import pytest

from tests.lab import profiles
from tests.lab.console import LabError
from tests.lab.places import PROFILES

WANTED = {"p40-gtx750ti", "a6000x2-nvlink", "a100-80gb", "tesla-p4", "h200x8", "h200x2", "none"}


def test_the_profiles_that_others_name_exist() -> None:
    assert set(profiles.names()) >= WANTED


@pytest.mark.parametrize("name", profiles.names())
def test_a_profile_is_sound(name: str) -> None:
    assert profiles.faults(profiles.load(name)) == []


@pytest.mark.parametrize("name", profiles.names())
def test_a_profile_can_be_written_as_json(name: str) -> None:
    profile = profiles.load(name)
    assert json.loads(json.dumps(profile)) == profile


@pytest.mark.parametrize("name", profiles.names())
def test_a_profile_says_in_its_first_lines_what_it_is(name: str) -> None:
    first, second = (PROFILES / f"{name}.yml").read_text(encoding="utf-8").splitlines()[:2]
    assert first == "---"
    assert re.match(r"# [A-Z]", second)


@pytest.mark.parametrize("name", profiles.names())
def test_bars_do_not_overlap(name: str) -> None:
    profile = profiles.load(name)
    functions = [*profile["gpus"], *profile.get("devices", [])]
    bars = [region for function in functions for region in function.get("bars", []) if region.get("start") is not None]
    ranges = sorted((region["start"], region["start"] + region["size"]) for region in bars)
    assert all(left[1] <= right[0] for left, right in zip(ranges, ranges[1:]))


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("address", "02:00.0", "address"),
        ("uuid", "5a1f2e34", "uuid"),
        ("flavours", ["closed"], "flavours"),
        ("architecture", "tesla", "architecture"),
        ("colour", "green", "colour"),
    ],
)
def test_a_malformed_card_is_named(key: str, value: object, fault: str) -> None:
    profile = copy.deepcopy(profiles.load("tesla-p4"))
    profile["gpus"][0][key] = value
    (found,) = profiles.faults(profile)
    assert fault in found


def test_a_card_that_appears_twice_is_named() -> None:
    profile = copy.deepcopy(profiles.load("tesla-p4"))
    profile["gpus"] *= 2
    assert [fault for fault in profiles.faults(profile) if "twice" in fault]


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LabError, match="h200x8"):
        profiles.load("voodoo2")


def test_the_bridge_of_the_a6000s_joins_the_two_cards() -> None:
    first, second = profiles.load("a6000x2-nvlink")["gpus"]
    assert {link["peer"] for link in first["nvml"]["nvlinks"]} == {second["address"]}
    assert {link["peer"] for link in second["nvml"]["nvlinks"]} == {first["address"]}
