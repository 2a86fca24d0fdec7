"""gpu_facts on a machine with real GPUs, compared with what NVIDIA's own tool says. Reads only; changes nothing.

Run on the machine itself, in a checkout: `python3 -m pytest tests/hardware`.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIELDS = (
    "index,pci.bus_id,uuid,name,memory.total,driver_version,persistence_mode,compute_cap,power.limit,ecc.mode.current,"
    "mig.mode.current,vbios_version,temperature.gpu,memory.used"
)
pytestmark = pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="this machine has no nvidia-smi")


def run(*argv: str) -> str:
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "LC_ALL": "C.UTF-8"}
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=env, cwd=ROOT, timeout=120).stdout


def ansible_facts(module: str) -> dict:
    argv = ("ansible", "localhost", "-m", module, "-e", "ansible_python_interpreter=python3")
    return json.loads(run(*argv).split("=>", 1)[1])["ansible_facts"]["nvidia"]


@pytest.fixture(scope="module")
def facts():
    return ansible_facts("gpufleet.nvidia.gpu_facts")


@pytest.fixture(scope="module")
def smi():
    text = run("nvidia-smi", f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits")
    return [dict(zip(FIELDS.split(","), row)) for row in csv.reader(text.splitlines(), skipinitialspace=True)]


def test_the_facts_show_every_gpu_that_nvidia_smi_shows(facts, smi):
    assert [gpu["uuid"] for gpu in facts["gpus"]] == [row["uuid"] for row in smi]
    assert [gpu["address"] for gpu in facts["gpus"]] == [row["pci.bus_id"].lower()[-12:] for row in smi]


def test_each_gpu_is_described_as_nvidia_smi_does(facts, smi):
    on = {"Enabled": True, "Disabled": False}
    for gpu, row in zip(facts["gpus"], smi):
        assert gpu["name"] == row["name"]
        assert gpu["memory_mib"] == int(row["memory.total"])
        assert gpu["compute_capability"] == row["compute_cap"]
        assert gpu["persistence_mode"] == on[row["persistence_mode"]]
        assert gpu["power_limit_watts"] == pytest.approx(float(row["power.limit"]))
        assert gpu["vbios"] == row["vbios_version"]
        assert (gpu["ecc"] or {}).get("current") == on.get(row["ecc.mode.current"])
        assert (gpu["mig"] or {}).get("current") == on.get(row["mig.mode.current"])
        assert abs(gpu["temperature_celsius"] - int(row["temperature.gpu"])) <= 10
        assert abs(gpu["memory_used_mib"] - int(row["memory.used"])) <= 64


def test_the_driver_is_the_one_that_runs(facts, smi):
    assert facts["driver"]["loaded"]["version"] == smi[0]["driver_version"]
    assert facts["nvml"]["driver_version"] == smi[0]["driver_version"]
    assert facts["driver"]["loaded"]["flavour"] in ("open", "proprietary")


def test_pci_and_nvml_agree_on_cards_and_architecture(facts):
    cards = {row["address"]: row for row in facts["pci"] if row["kind"] == "gpu"}
    assert set(cards) == {gpu["address"] for gpu in facts["gpus"]}
    assert all(card["driver"] == "nvidia" and card["bars_assigned"] for card in cards.values())
    assert all(gpu["architecture"] == cards[gpu["address"]]["architecture"] != "unknown" for gpu in facts["gpus"])


def test_the_small_module_says_the_same_of_the_driver(facts):
    small = ansible_facts("gpufleet.nvidia.driver_facts")
    assert small["driver"] == facts["driver"]
    assert "gpus" not in small


def test_the_facts_take_no_longer_than_a_person_waits(facts):
    since = time.monotonic()
    ansible_facts("gpufleet.nvidia.gpu_facts")
    assert time.monotonic() - since < 20
