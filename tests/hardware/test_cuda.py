"""The CUDA toolkit of a machine with real GPUs: what the facts say of it, and a program that runs on every card.

Run on the machine itself, in a checkout: `python3 -m pytest tests/hardware/test_cuda.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="this machine has no nvidia-smi")


def run(*argv: str) -> str:
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "LC_ALL": "C.UTF-8"}
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=env, cwd=ROOT, timeout=300).stdout


def module(name: str, **options: object) -> dict:
    argv = ("ansible", "localhost", "-m", f"gpufleet.nvidia.{name}", "-e", "ansible_python_interpreter=python3")
    return json.loads(run(*argv, *(["-a", json.dumps(options)] if options else [])).split("=>", 1)[1])


@pytest.fixture(scope="module")
def facts():
    return module("gpu_facts")["ansible_facts"]["nvidia"]


@pytest.fixture(scope="module")
def toolkit(facts):
    rows = [row for row in facts["cuda"]["toolkits"] if row["nvcc"]]
    if not rows:
        pytest.skip("no CUDA toolkit is installed here")
    return rows[-1]


def test_the_facts_show_the_version_that_the_compiler_says(toolkit):
    assert f"V{toolkit['version']}" in run(toolkit["nvcc"], "--version")


def test_every_gpu_runs_what_the_compiler_made(facts, toolkit):
    capabilities = sorted({gpu["compute_capability"] for gpu in facts["gpus"]})
    proof = module("nvcc_proof", nvcc=toolkit["nvcc"], release=toolkit["release"], capabilities=capabilities, run=True)
    assert proof["ran"]
    assert [row["capability"] for row in proof["devices"]] == [gpu["compute_capability"] for gpu in facts["gpus"]]
    assert {row["sum"] for row in proof["devices"]} == {3 * 2**20 * (2**20 - 1) // 2}


def test_a_release_that_is_not_there_is_told(toolkit):
    with pytest.raises(subprocess.CalledProcessError) as failure:
        module("nvcc_proof", nvcc=toolkit["nvcc"], release="1.0")
    assert "1.0 was asked for" in failure.value.stdout + failure.value.stderr
