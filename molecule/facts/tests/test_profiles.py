"""The facts of each profile's host: the cards are the lab's stand-ins, the code that reads them is the product's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import testinfra

from tests import evidence

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = ROOT / "molecule" / "facts" / "inventory" / "hosts.yml"
REAL = json.loads((ROOT / "tests" / "unit" / "fixtures" / "h200" / "facts.json").read_text(encoding="utf-8"))

CARDS = {
    "facts-p40": [("1b38", "pascal"), ("1380", "maxwell")],
    "facts-a6000": [("2230", "ampere"), ("2230", "ampere")],
    "facts-a100": [("20b5", "ampere")],
    "facts-p4": [("1bb3", "pascal")],
    "facts-h200x8": [("2335", "hopper")] * 8,
    "facts-none": [],
}


def facts_of(name: str) -> dict:
    return evidence.facts(testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY)))


@pytest.mark.parametrize(("name", "cards"), CARDS.items(), ids=list(CARDS))
def test_the_cards_are_seen_without_any_driver(name, cards):
    facts = facts_of(name)
    gpus = [row for row in facts["pci"] if row["kind"] == "gpu"]
    assert sorted((row["device"], row["architecture"]) for row in gpus) == sorted(cards)
    assert all(row["bars_assigned"] for row in gpus)
    assert facts["coherence"]["verdict"] == "absent"
    assert facts["nvml"]["available"] is False and facts["nvml"]["reason"]
    assert facts["partial"] == []


@pytest.fixture(scope="module")
def lab():
    return facts_of("facts-h200x2")


def test_nvml_says_the_same_as_on_the_real_machine(lab):
    assert lab["nvml"] == REAL["nvml"]
    volatile = ("temperature_celsius", "memory_used_mib")
    for mine, real in zip(lab["gpus"], REAL["gpus"], strict=True):
        assert set(mine) - set(real) == {"licensing"}, "what was not asked for when the real machine was read"
        assert {k: v for k, v in mine.items() if k in real and k not in volatile} == {
            k: v for k, v in real.items() if k not in volatile
        }


def test_the_bus_says_the_same_as_on_the_real_machine(lab):
    def shape(row):
        return {**row, "bars": [(region["index"], region["size"]) for region in row["bars"]]}

    assert [shape(row) for row in lab["pci"]] == [shape(row) for row in REAL["pci"]]


def test_the_driver_is_the_same_as_on_the_real_machine(lab):
    for part in ("version", "flavour"):
        assert lab["driver"]["loaded"][part] == REAL["driver"]["loaded"][part]
    assert lab["driver"]["library"]["version"] == REAL["driver"]["library"]["version"]
    assert lab["driver"]["install"] == REAL["driver"]["install"]
    assert lab["nouveau"] == REAL["nouveau"]
