"""The same on a host of the lab, where jobs really change something.

python -m tests.lab up -i inventories/lab
AWX_JOBS_INVENTORY=inventories/lab AWX_JOBS_LIMIT=gpu1 python -m pytest tests/awx/test_lab.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.awx.jobs import ROOT, RUNNER, prepare, run, run_elsewhere

INVENTORY = os.environ.get("AWX_JOBS_INVENTORY")
LIMIT = os.environ.get("AWX_JOBS_LIMIT", "gpu_hosts")

pytestmark = pytest.mark.skipif(
    RUNNER is None or not INVENTORY,
    reason="AWX_JOBS_INVENTORY names no inventory of lab hosts, or there is no ansible-runner",
)


def job_folder(folder: Path, *words: str) -> Path:
    return prepare(folder, ROOT / str(INVENTORY), {"nvidia_driver_reboot_ok": "true"}, "--limit", LIMIT, *words)


def test_the_whole_way_from_plan_to_proof(tmp_path):
    plan = run(job_folder(tmp_path / "plan"), "plan_gpu_hosts")
    assert plan.status == "successful"
    hosts = set(plan.artifacts["gpufleet_plan"])
    assert hosts and not any(row["errors"] for row in plan.artifacts["gpufleet_plan"].values())

    # with a reboot in it, and over another node
    change = run_elsewhere(job_folder(tmp_path / "change"), "converge_gpu_hosts", tmp_path / "node")
    assert change.status == "successful", change.failures()

    proof = run(job_folder(tmp_path / "proof"), "verify_gpu_hosts")
    assert proof.status == "successful", proof.failures()
    assert set(proof.artifacts["gpufleet_verified"]) == hosts

    again = run(job_folder(tmp_path / "again"), "converge_gpu_hosts")
    assert again.status == "successful" and again.changed() == {}
