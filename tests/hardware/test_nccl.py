"""nccl_test on a machine with real GPUs: it measures what nccl-tests measures. Computes only; no setting is changed.

`NCCL_TESTS_ARCHIVE=/path/nccl-tests.tar.gz NCCL_TESTS_ARCHIVE_SHA256=… python3 -m pytest tests/hardware/test_nccl.py`
makes the programs from a source archive of yours; with `NCCL_TESTS_BINARIES=/path/build` it takes those that are there.
NCCL_* variables of the caller go into the test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.hardware.test_facts import ROOT, ansible_facts

ARCHIVE = os.environ.get("NCCL_TESTS_ARCHIVE")
BINARIES = os.environ.get("NCCL_TESTS_BINARIES")
pytestmark = [
    pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="this machine has no nvidia-smi"),
    pytest.mark.skipif(not (ARCHIVE or BINARIES), reason="neither NCCL_TESTS_ARCHIVE nor NCCL_TESTS_BINARIES is set"),
]


@pytest.fixture(scope="module")
def facts():
    return ansible_facts("gpufleet.nvidia.gpu_facts")


@pytest.fixture(scope="module")
def programs(facts, tmp_path_factory):
    """The options that say where the programs are."""
    if BINARIES:
        return {"binaries": BINARIES}
    capabilities = sorted({gpu["compute_capability"] for gpu in facts["gpus"]})
    folder = str(tmp_path_factory.mktemp("nccl-tests"))
    checksum = os.environ.get("NCCL_TESTS_ARCHIVE_SHA256", "")
    assert checksum, "NCCL_TESTS_ARCHIVE_SHA256 must say the checksum of the archive"
    return {"source": {"src": ARCHIVE, "sha256": checksum, "folder": folder, "capabilities": capabilities}}


def module(name: str, **options):
    """The module's result; the caller's NCCL_* variables are handed over, which it would not see otherwise."""
    own = {
        key: value for key, value in os.environ.items() if key.startswith("NCCL_") and not key.startswith("NCCL_TESTS_")
    }
    own.pop("NCCL_VERSION", None)
    arguments = json.dumps({**options, "env": own, "processors": os.cpu_count()})
    argv = ["ansible", "localhost", "-m", f"gpufleet.nvidia.{name}", "-a", arguments]
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "LC_ALL": "C.UTF-8"}
    argv += ["-e", "ansible_python_interpreter=python3"]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, cwd=ROOT, timeout=900, check=False)
    return json.loads(done.stdout.split("=>", 1)[1])


def test_the_gpus_exchange_data_as_fast_as_nccl_tests_says(facts, programs):
    gpus = len(facts["gpus"])
    result = module("nccl_test", gpus=gpus, min_bytes="8M", max_bytes="1G", **programs)
    print(json.dumps({key: result.get(key) for key in ("largest", "rows", "nccl_version", "command", "msg")}, indent=1))
    assert result.get("measured") and result["wrong"] == 0, result
    assert result["largest"]["size"] == 2**30
    # The bandwidth of the bus is the algorithm's times 2 (n - 1) / n: so it says how many GPUs took part.
    side = result["rows"][-1]["out_of_place"]
    assert side["bus_bandwidth"] / side["algorithm_bandwidth"] == pytest.approx(2 * (gpus - 1) / gpus, rel=0.01)
    folder = Path(result["command"][0])
    own = {key: value for key, value in os.environ.items() if key.startswith("NCCL_") and "TESTS" not in key}
    raw = subprocess.run(
        [str(folder), "-b", "1G", "-e", "1G", "-g", str(gpus), "-n", "20", "-w", "5", "-c", "1"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env={"PATH": os.environ["PATH"], **own},
    ).stdout
    row = next(line.split() for line in raw.splitlines() if line.split()[:1] == [str(2**30)])
    assert result["largest"]["bus_bandwidth"] == pytest.approx(min(float(row[-6]), float(row[-2])), rel=0.08)


def test_a_threshold_that_nothing_reaches_fails_with_both_figures(programs, facts):
    result = module(
        "nccl_test", gpus=len(facts["gpus"]), min_bytes="64M", max_bytes="64M", min_bus_bandwidth=1e6, **programs
    )
    assert "less than the 1e+06 GB/s" in result["msg"]


def test_nothing_of_the_environment_is_returned(programs):
    os.environ["CANARY"] = "must-not-be-seen"
    try:
        assert "must-not-be-seen" not in json.dumps(module("nccl_test", gpus=1, max_bytes="8M", **programs))
    finally:
        del os.environ["CANARY"]


def test_other_collectives_run_as_well(programs, facts):
    for collective in ("all_gather", "reduce_scatter", "sendrecv"):
        result = module("nccl_test", collective=collective, gpus=len(facts["gpus"]), max_bytes="64M", **programs)
        assert result.get("measured") and result["wrong"] == 0, (collective, result)
