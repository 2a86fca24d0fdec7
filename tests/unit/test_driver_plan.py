"""Which driver: one table for the choices, one for the refusals. Whole plans are in test_driver_plan_golden.py."""

from __future__ import annotations

import re

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from tests.unit.golden.hosts import card, codes, host, kernel, text_of

RUNNING = "6.1.0-41-amd64"


def debian(*cards, release="debian-12", **changes):
    return host(release, *cards, **changes)


@pytest.mark.parametrize(
    ("platform", "cards", "wants", "branch", "flavour"),
    [
        ("debian-12", ["p40", "gtx750ti"], {}, 535, "proprietary"),
        ("debian-12", ["a100"], {}, 535, "open"),
        ("debian-12", ["a6000"], {}, 535, "proprietary"),
        ("debian-12", ["a100", "a6000"], {}, 535, "proprietary"),
        ("debian-13", ["a6000"], {}, 550, "open"),
        ("debian-13", ["t4", "v100"], {}, 550, "proprietary"),
        ("debian-12", ["k80"], {}, 470, "proprietary"),
        ("debian-13", ["a100"], {"branch": 535}, 535, "proprietary"),
        ("ubuntu-24.04", ["b200"], {}, 580, "open"),
        ("ubuntu-24.04", ["a100"], {"branch": 595, "flavour": "proprietary"}, 595, "proprietary"),
        ("ubuntu-24.04", ["a100"], {"branch": 615}, 615, "open"),
        ("debian-12", ["a100"], {"version": "535.261.03"}, 535, "open"),
    ],
)
def test_branch_and_flavour_follow_the_gpus(platform, cards, wants, branch, flavour):
    plan = driver_plan(host(platform, *cards), wants)
    assert codes(plan) == []
    assert (plan["branch"], plan["flavour"]) == (branch, flavour)


@pytest.mark.parametrize(
    ("platform", "cards", "wants", "expected", "words"),
    [
        (
            "debian-12",
            ["p40"],
            {"flavour": "open"},
            ["open_modules_unsupported"],
            ["Tesla P40", "0000:01:00.0", "Turing"],
        ),
        ("ubuntu-24.04", ["b200"], {"flavour": "proprietary"}, ["open_modules_required"], ["B200", "open"]),
        ("ubuntu-24.04", ["gh200"], {"flavour": "proprietary"}, ["open_modules_required"], ["GH200"]),
        ("ubuntu-24.04", ["p40"], {"branch": 595}, ["branch_dropped_gpu"], ["595", "580", "Pascal"]),
        ("ubuntu-24.04", ["b200"], {"branch": 470}, ["branch_too_old_for_gpu"], ["470", "570"]),
        ("ubuntu-24.04", ["a100"], {"branch": 535}, ["branch_transitional"], ["nvidia-driver-580", "595"]),
        ("debian-12", ["a100"], {"branch": 999}, ["branch_not_offered"], ["535 and 470", "not in the catalogue"]),
        ("debian-13", ["a100"], {"branch": 535, "flavour": "open"}, ["flavour_not_offered"], ["535", "proprietary"]),
        ("debian-13", ["b200"], {}, ["gpu_unsupported_here"], ["B200", "570", "550"]),
        ("debian-13", ["k80"], {}, ["gpu_unsupported_here"], ["K80", "470"]),
        ("ubuntu-24.04", ["p40", "b200"], {}, ["gpus_conflict"], ["Tesla P40", "B200", "another host"]),
        ("ubuntu-24.04", ["k80", "h200"], {}, ["gpus_conflict"], ["470", "520"]),
        ("debian-12", ["a100"], {"branch": 535, "version": "550.163.01"}, ["branch_version_conflict"], ["550", "535"]),
        ("debian-12", ["a100"], {"version": "535"}, ["version_invalid"], ["535.261.03"]),
        ("debian-12", ["a100"], {"version": "535.261.03-1"}, ["version_invalid"], ["package revision"]),
        ("debian-12", ["a100"], {"version": "535.1; reboot"}, ["version_invalid"], []),
        (
            "debian-12",
            ["p40"],
            {"branch": 595, "flavour": "open"},
            ["branch_dropped_gpu", "branch_not_offered", "open_modules_unsupported"],
            [],
        ),
        ("debian-12", ["a6000"], {"flavour": "open"}, ["open_modules_alpha"], ["NVreg_OpenRmEnableUnsupportedGpus"]),
        ("debian-12", [], {}, ["no_gpu"], ["nvidia_driver_gpu_required"]),
        ("debian-12", ["a100"], {"kernels": []}, ["kernels_empty"], []),
        (
            "debian-12",
            ["a100"],
            {"module_parameters": {"a b": 1, "x": "1\noptions y z=1"}},
            ["module_parameter_invalid"] * 2,
            [],
        ),
        (
            "debian-12",
            ["a100"],
            {"repositories_ok": False},
            ["repository_components_missing"],
            ["contrib non-free non-free-firmware"],
        ),
    ],
)
def test_what_cannot_work_is_refused_with_all_reasons_at_once(platform, cards, wants, expected, words):
    plan = driver_plan(host(platform, *cards), wants)
    assert codes(plan) == expected
    said = " ".join(row["text"] for row in plan["findings"] if row["severity"] == "error")
    assert [word for word in words if word not in said] == []


def test_every_finding_is_a_sentence_with_a_source():
    facts = debian("p40", "b200", kernel=kernel(RUNNING, running="6.8.0", following="6.9.0"))
    plan = driver_plan(facts, {"branch": 999, "flavour": "open", "version": "x"})
    assert len(codes(plan)) >= 5
    for row in plan["findings"]:
        assert re.fullmatch(r"[a-z_]+", row["code"])
        assert row["text"].endswith(".") and row["source"]
    assert [row["severity"] for row in plan["findings"]] == sorted(
        (row["severity"] for row in plan["findings"]), key=["error", "warning", "note"].index
    )


def test_an_unknown_gpu_is_named_with_its_neighbours_and_nothing_is_guessed():
    facts = debian(pci=[card("p40", 1, device="1b39", architecture="unknown")])
    text = text_of(driver_plan(facts, {}), "gpu_unknown")
    assert "10de:1b39" in text and "1b38 GP102GL [Tesla P40]" in text
    assert codes(driver_plan(facts, {"branch": 535})) == ["gpu_unknown"]
    told = driver_plan(facts, {"branch": 535, "flavour": "proprietary"})
    assert codes(told) == [] and told["flavour"] == "proprietary"


def test_an_architecture_read_from_the_chip_is_enough():
    facts = debian(pci=[card("p40", 1, device="1b39", architecture="pascal")])
    assert driver_plan(facts, {})["flavour"] == "proprietary"


def test_unassigned_bars_name_the_firmware_setting():
    facts = debian(pci=[card("p40", 1, bars_assigned=False)])
    assert "Above 4G Decoding" in text_of(driver_plan(facts, {}), "bars_unassigned")


def test_virtual_functions_are_not_counted_as_gpus():
    facts = debian(pci=[card("a100", 1), card("b200", 2, physical_function="0000:01:00.0")])
    assert codes(driver_plan(facts, {})) == []
