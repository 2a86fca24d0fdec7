"""The resolver on a machine with real GPUs: what it plans is what the machine has. Reads only."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from tests.hardware.test_facts import ansible_facts

pytestmark = pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="this machine has no nvidia-smi")


@pytest.fixture(scope="module")
def facts():
    """A machine whose libraries come from outside of it counts as a container; its driver is real all the same."""
    found = ansible_facts("gpufleet.nvidia.gpu_facts")
    print(json.dumps({key: found[key] for key in ("place", "cuda", "nccl", "grid")}, indent=1))
    return found


def nvcc_release() -> str:
    text = subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"release ([\d.]+)", text)
    assert found, text
    return found[1]


def smi(field: str) -> str:
    argv = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader,nounits"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()


def test_the_catalogue_knows_the_cards(facts):
    for gpu in stack(facts, {})["gpus"]:
        assert gpu["compute_capability"] == smi("compute_cap")
        assert gpu["memory_mib"] == pytest.approx(int(smi("memory.total")), rel=0.05)


def test_the_facts_show_the_toolkit_and_the_library_of_the_machine(facts):
    if shutil.which("nvcc"):
        assert facts["cuda"]["default"]["release"] == nvcc_release()
    cache = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    path = re.search(r"libnccl\.so\.2 .*=> (\S+)", cache)
    if path:
        assert os.path.realpath(facts["nccl"]["default"]["path"]) == os.path.realpath(path[1])
        assert f".so.{facts['nccl']['default']['version']}" in os.path.realpath(path[1])


def test_the_plan_is_what_the_machine_has(facts):
    release = facts["cuda"]["default"]["release"]
    plan = stack(facts, {"cuda": release, "nccl": "auto"})
    driver = facts["driver"]["loaded"]
    assert [row["release"] for row in plan["cuda"]["releases"]] == [release]
    assert plan["cuda"]["releases"][0]["mode"] == "full"
    assert plan["driver"]["flavour"] == driver["flavour"]
    assert str(plan["driver"]["branch"]) == driver["version"].split(".")[0]
    assert plan["nccl"]["version"] == facts["nccl"]["default"]["version"]
    blockers = {row["code"] for row in plan["findings"] if row["severity"] == "error"}
    # In a container the kernel and the package sources are somebody else's: that alone may be in the way.
    assert blockers <= {"kernel_none_installed", "kernel_running_not_installed", "repository_unknown"}, plan["findings"]


def test_a_cuda_that_is_newer_than_the_driver_is_said_to_be_limited(facts):
    branch = int(facts["driver"]["loaded"]["version"].split(".")[0])
    plan = stack(facts, {"cuda": "13.4", "driver_branch": branch})
    assert plan["cuda"]["releases"][0]["mode"] == "minor_version"
    assert "cuda_minor_version" in {row["code"] for row in plan["findings"]}
