"""What software above the driver demands: a filter over the choices, an error that tells, a move that is announced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_gpus import gpus_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import DEFAULTS, driver_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import candidates
from tests.unit.golden.hosts import codes, driver, host, module, package, text_of
from tests.unit.test_driver_plan_properties import WANTS, hosts

CATALOGUE = load()


def needs(least, what="CUDA 13.0"):
    return {"requires": [{"what": what, "min_driver": least, "source": "a page"}]}


@pytest.mark.parametrize(
    ("platform", "card", "wants", "least", "branch"),
    [
        ("ubuntu-24.04", "a100", {}, "525.60.13", 580),
        ("ubuntu-24.04", "a100", {}, "590.44", 595),
        ("ubuntu-24.04", "a100", {}, "600", 615),
        ("ubuntu-24.04", "p40", {}, "580.65.06", 580),
        ("debian-12", "p4", {}, "535.250", 535),
        ("rocky-9", "a100", {}, "590.44", 595),
        ("arch", "a100", {}, "999", None),
        ("ubuntu-24.04", "a100", {"branch": 615}, "580", 615),
    ],
)
def test_the_first_driver_that_is_new_enough_is_taken(platform, card, wants, least, branch):
    plan = driver_plan(host(platform, card), {**wants, **needs(least)})
    assert set(codes(plan)) <= {"platform_not_applied"}
    assert (plan["branch"], bool(plan["packages"])) == (branch, True)


def test_a_known_version_of_the_branch_compares_whole():
    assert driver_plan(host("debian-12", "p4"), needs("535.220"))["series"] == "current"
    assert codes(driver_plan(host("debian-12", "p4"), needs("535.270"))) == ["driver_too_old_for"]
    assert codes(driver_plan(host("debian-12", "p4"), {"version": "535.216.03", **needs("535.220")})) == [
        "driver_too_old_for"
    ]


@pytest.mark.parametrize(
    ("platform", "card", "wants", "least", "words"),
    [
        ("debian-12", "a100", {}, "580", ["CUDA 13.0", "580", "A100", "535.261.03", "470.256.02", "older CUDA"]),
        ("ubuntu-24.04", "p40", {}, "610", ["Tesla P40", "580.178.04 and 470.256.02"]),
        ("debian-13", "a100", {"branch": 535}, "550.54.14", ["nvidia_driver_branch 535 is older", "to 550 and null"]),
        ("rocky-9", "a100", {"branch": 580}, "590", ["nvidia_driver_branch to 595, 615 and null"]),
    ],
)
def test_too_old_a_driver_names_what_needs_it_and_what_there_is(platform, card, wants, least, words):
    plan = driver_plan(host(platform, card), {**wants, **needs(least)})
    assert [code for code in codes(plan) if code != "platform_not_applied"] == ["driver_too_old_for"]
    said = text_of(plan, "driver_too_old_for")
    assert [word for word in words if word not in said] == []
    assert not plan["packages"]


def test_of_two_requirements_the_one_that_cannot_be_met_is_named():
    wants = {"requires": [*needs("525", "CUDA 12.0")["requires"], *needs("580", "vLLM 0.99")["requires"]]}
    plan = driver_plan(host("debian-12", "a100"), wants)
    assert codes(plan) == ["driver_too_old_for"]
    assert "vLLM 0.99" in text_of(plan, "driver_too_old_for")


def test_a_gpu_that_no_driver_drives_is_said_as_before():
    assert codes(driver_plan(host("debian-13", "b200"), needs("580"))) == ["gpu_unsupported_here"]


def ubuntu_with(version, name="nvidia-headless-580-server-open"):
    facts = host("ubuntu-24.04", "a100")
    facts["driver"] = {**driver(packages=[package(name, f"{version}-0ubuntu1")]), "on_disk": {}}
    facts["driver"]["on_disk"] = {facts["kernel"]["running"]: module(version, "open")}
    return facts


def test_an_installed_branch_that_is_too_old_is_left_and_a_note_says_why():
    plan = driver_plan(ubuntu_with("580.178.04"), needs("590.44", "CUDA 13.1"))
    assert (codes(plan), plan["branch"], plan["upgrade"]) == ([], 595, True)
    said = text_of(plan, "driver_moves_for")
    assert "580.178.04" in said and "CUDA 13.1" in said and "595" in said


def test_an_installed_version_that_is_too_old_is_upgraded_within_its_branch():
    plan = driver_plan(ubuntu_with("580.65.06"), needs("580.95.05"))
    assert (plan["branch"], plan["upgrade"], codes(plan, "note")[0]) == (580, True, "driver_moves_for")


def test_an_installed_driver_that_is_new_enough_stays():
    plan = driver_plan(ubuntu_with("580.178.04"), needs("580.65.06"))
    assert (plan["branch"], plan["upgrade"]) == (580, False)
    assert "driver_moves_for" not in codes(plan, "note")


def test_a_named_branch_is_not_left():
    plan = driver_plan(ubuntu_with("580.178.04"), {"branch": 580, **needs("590")})
    assert codes(plan) == ["driver_too_old_for"]


@given(hosts(), WANTS, st.lists(st.sampled_from(["470", "525.60.13", "550.54", "580.65.06", "595", "999"]), max_size=3))
def test_a_requirement_never_widens_the_choice(facts, wants, leasts):
    platform = CATALOGUE.platform(facts["system"]["distribution"], facts["system"]["version"])
    gpus = gpus_of(facts, CATALOGUE)
    sets = []
    for count in range(len(leasts) + 1):
        asked = {**DEFAULTS, **wants, "requires": [row for least in leasts[:count] for row in needs(least)["requires"]]}
        sets.append({(c.offer["series"], c.flavour) for c in candidates(platform, gpus, asked, CATALOGUE)})
    assert all(after <= before for before, after in zip(sets, sets[1:]))
