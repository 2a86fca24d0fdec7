"""The probe as a process, with a stand-in for pynvml: what it prints, and that a hang costs its seconds alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.unit.conftest import ROOT

PCI = [{"address": "0000:00:06.0", "device": "2335"}]
STAND_IN = """
import os, time
class NVMLError(Exception):
    def __init__(self, value): self.value = value
    def __str__(self): return "error %d" % self.value
class Row:
    def __init__(self, **fields): self.__dict__.update(fields)
def nvmlInit(): {init}
def nvmlDeviceGetCount(): return {count}
def nvmlDeviceGetHandleByIndex(index):
    if index == 1: raise NVMLError(15)
    return index
def nvmlDeviceGetPciInfo(handle): return Row(busId=b"00000000:00:06.0")
def nvmlDeviceGetUUID(handle): return b"GPU-1"
def nvmlDeviceGetName(handle): return "NVIDIA H200"
def nvmlDeviceGetPersistenceMode(handle): return 1
def nvmlDeviceGetEccMode(handle): return [1, 0]
def nvmlDeviceGetMigMode(handle): raise NVMLError(3)
def nvmlDeviceGetCudaComputeCapability(handle): return (9, 0)
nvmlMemory_v2 = 2
def nvmlDeviceGetMemoryInfo(handle, version=None):
    if version: raise NVMLError(13)
    return Row(total=2048 << 20, used=0)
def nvmlDeviceGetNvLinkState(handle, link): return link < 2
def nvmlDeviceGetComputeRunningProcesses(handle): raise NVMLError(13)
def nvmlDeviceGetComputeRunningProcesses_v2(handle): return [Row(pid=7, usedGpuMemory=None)]
def nvmlSystemGetCudaDriverVersion_v2(): return 13000
def nvmlSystemGetDriverVersion(): return "580.159.04"
"""


# The real thing from begin to finish, in a process that has no threads, as a module has none.
PROGRAM = """
import json, sys
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apart, _nvml
print(json.dumps(_nvml.observe(_apart, *json.loads(sys.argv[1]))))
"""


def answer_of(folder, pci=(), seconds=20):
    """What is told of a machine whose pynvml lies in a folder."""
    env = {"PYTHONPATH": f"{folder}:{ROOT / 'collections'}", "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-c", PROGRAM, json.dumps([pci, {"version": "580.159.04"}, seconds])]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=env, timeout=60)
    return json.loads(done.stdout)


@pytest.fixture
def ask(tmp_path):
    def asked(init="pass", count=1, seconds=20):
        stand_in = STAND_IN.replace("{init}", init).replace("{count}", str(count))
        (tmp_path / "pynvml.py").write_text(stand_in, encoding="utf-8")
        return answer_of(tmp_path, PCI, seconds)

    return asked


def test_what_works_is_told_and_what_fails_is_null(ask):
    nvml, (gpu,), partial = ask()
    assert (nvml["available"], nvml["driver_version"], nvml["cuda_driver_version"]) == (True, "580.159.04", "13.0")
    assert (nvml["version"], partial) == (None, [])
    told = {name: gpu[name] for name in ("address", "uuid", "name", "persistence_mode", "ecc", "mig", "memory_mib")}
    assert told == {
        "address": "0000:00:06.0",
        "uuid": "GPU-1",
        "name": "NVIDIA H200",
        "persistence_mode": True,
        "ecc": {"current": True, "pending": False},
        "mig": None,
        "memory_mib": 2048,
    }
    assert (gpu["architecture"], gpu["compute_capability"], "error" in gpu) == ("hopper", "9.0", False)
    assert gpu["nvlinks"] == {"active": 2, "links": [0, 1]}
    assert gpu["processes"] == [{"pid": 7, "type": "compute", "memory_mib": None}]


def test_a_lost_gpu_is_no_row_but_a_gap_with_its_reason(ask):
    nvml, gpus, partial = ask(count=2)
    assert nvml["available"] and [gpu["index"] for gpu in gpus] == [0]
    assert partial == [{"source": "nvml", "reason": "GPU 1 does not answer: error 15"}]


def test_a_refusal_is_told_with_its_code(ask):
    nvml, gpus, partial = ask(init="raise NVMLError(18)")
    assert (nvml["available"], nvml["code"], nvml["reason"], gpus, partial) == (False, 18, "error 18", [], [])


@pytest.mark.parametrize(
    ("init", "words"),
    [
        ("time.sleep(300)", "did not answer within 0.5 s"),
        ("os.kill(os.getpid(), 11)", "died without an answer"),
        ("raise OSError('no such device')", "no such device"),
    ],
)
def test_trouble_below_yields_a_partial_fact_at_once(ask, init, words):
    since = time.monotonic()
    nvml, gpus, partial = ask(init=init, seconds=0.5 if "sleep" in init else 20)
    assert time.monotonic() - since < 10
    assert nvml["available"] is False and gpus == []
    assert words in nvml["reason"] and partial == [{"source": "nvml", "reason": nvml["reason"]}]


def test_without_the_binding_the_reason_names_the_python(tmp_path):
    (tmp_path / "pynvml.py").write_text("raise ImportError", encoding="utf-8")
    nvml, _gpus, partial = answer_of(tmp_path)
    assert sys.executable in nvml["reason"] and nvml["code"] is None and partial == []
