"""What gpu_facts itself costs on a machine with real GPUs, against `nvidia-smi -q -x`. Reads only; changes nothing.

Run on the machine itself, in a checkout: `python3 -m pytest -s tests/hardware/test_probe_cost.py`.

Counted of gpu_facts is its own work: all of `probe()` with every subset, from the call to the finished facts, in a
process of its own for each round, so that nothing is cached. The processes that it starts are in it, the one that asks
NVML among them: every one of them, also what nobody waits for, is waited for here before its CPU time is read.
Not in it are the start of Python and imports, which every module has, and the connection.
Counted of nvidia-smi is the whole program. Both run in turns, and the medians are compared: of the time that passes,
and of the CPU time in user and system mode, children included.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 7
PROGRAM = """
import ctypes, json, os, resource, time
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok  # imported late, and only under Secure Boot
from ansible_collections.gpufleet.nvidia.plugins.module_utils._facts import probe
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem
from ansible_collections.gpufleet.nvidia.plugins.modules.gpu_facts import ARGUMENT_SPEC

PR_SET_CHILD_SUBREAPER = 36  # processes without a parent become ours, and none can hide


def cpu_so_far():
    try:
        while os.wait():
            pass
    except ChildProcessError:
        rows = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(row.ru_utime + row.ru_stime for row in rows)


assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
with patch_module_args({}):
    system = ModuleSystem(AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True))
used, since = cpu_so_far(), time.perf_counter()
facts = probe(system, ["all"], 60)["ansible_facts"]["nvidia"]
seconds, cpu = time.perf_counter() - since, cpu_so_far() - used
kept = {name: facts[name] for name in ("gathered", "partial")}
print(json.dumps({"seconds": seconds, "cpu": cpu, "uuids": [gpu["uuid"] for gpu in facts["gpus"]], **kept}))
"""
pytestmark = pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="this machine has no nvidia-smi")


def run(*argv: str) -> str:
    paths = [str(ROOT / "collections"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "LC_ALL": "C.UTF-8"}
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=env, cwd=ROOT, timeout=120).stdout


def own_work() -> dict:
    return json.loads(run(sys.executable, "-c", PROGRAM).splitlines()[-1])


def vendors_tool() -> dict:
    before, since = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run("nvidia-smi", "-q", "-x")
    seconds, after = time.perf_counter() - since, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": seconds, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


@pytest.fixture(scope="module")
def measured():
    """Rounds of both, in turns: whatever else the machine does falls on both."""
    own_work(), vendors_tool()  # what is only read from the disk once
    rounds = [(own_work(), vendors_tool()) for _round in range(ROUNDS)]
    return [ours for ours, _theirs in rounds], [theirs for _ours, theirs in rounds]


def test_what_is_measured_is_the_whole_probe(measured):
    shown = run("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader").split()
    for ours in measured[0]:
        assert ours["uuids"] == shown
        assert not ours["partial"]
        assert {"pci", "driver", "nvml", "cuda", "nccl", "vllm"} <= set(ours["gathered"])


@pytest.mark.parametrize("figure", ["cpu", "seconds"])
def test_the_probe_itself_costs_less_than_nvidia_smi(measured, figure):
    ours, theirs = (statistics.median(row[figure] for row in rows) for rows in measured)
    print(f"\n{figure}: gpu_facts {ours:.3f}, nvidia-smi -q -x {theirs:.3f}, ratio {ours / theirs:.2f}")
    assert ours < theirs
