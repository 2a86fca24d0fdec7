"""The lines that a person reads, from the facts of a real machine and of a machine with nothing."""

from __future__ import annotations

import copy
import json

from ansible_collections.gpufleet.nvidia.plugins.module_utils._facts import gather
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.summary import summary
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem

REAL = json.loads(fixture("h200/facts.json"))


def test_a_real_machine_is_told_in_a_few_lines():
    lines = summary(REAL)
    assert lines[0] == "ubuntu 24.04 (x86_64), container, kernel 6.8.0-40-generic"
    assert lines[1] == "0000:00:06.0 NVIDIA H200, 143771 MiB, compute capability 9.0, persistence on"
    assert "driver 580.159.04 (open modules), libraries 580.159.04, installed by none" in lines
    assert lines[-1] == "verdict: coherent"


def test_the_reasons_of_a_verdict_follow_it():
    facts = copy.deepcopy(REAL)
    facts["coherence"] = {"verdict": "needs_reload", "reasons": ["loaded 580.1, libraries 580.2."]}
    facts["partial"] = [{"source": "nvml", "reason": "it hangs"}]
    assert summary(facts)[-3:] == [
        "verdict: needs_reload",
        "  loaded 580.1, libraries 580.2.",
        "not read: nvml: it hangs",
    ]


def test_a_card_without_a_driver_is_told_by_what_drives_it():
    facts = copy.deepcopy(REAL)
    facts["gpus"], facts["driver"]["loaded"] = [], None
    facts["pci"][0]["driver"] = "nouveau"
    assert "0000:00:06.0 10de:2335 (hopper), kernel driver nouveau" in summary(facts)


def test_a_machine_with_nothing_is_told_as_well():
    user = {"python": "3.11", "machine": "x86_64", "user_id": 0}
    lines = summary(gather(FakeSystem(), ["all"], timeout=5, **user))
    assert "no NVIDIA GPU on the PCI bus" in lines
    assert lines[-1] == "verdict: absent"


def test_toolkits_and_nccl_are_told_with_what_a_program_gets():
    facts = copy.deepcopy(REAL)
    facts["grid"] = {"installed": True}
    facts["cuda"] = {
        "toolkits": [
            {"release": "12.6", "version": "12.6.85", "path": "/usr/local/cuda-12.6", "source": "repository"},
            {"release": "11.8", "version": None, "path": "/usr/local/cuda-11.8", "source": "runfile"},
        ],
        "default": {"path": "/usr/local/cuda-12.6", "release": "12.6"},
    }
    facts["nccl"] = {
        "libraries": [],
        "default": {"path": "/usr/lib/x86_64-linux-gnu/libnccl.so.2", "version": "2.28.3"},
    }
    lines = summary(facts)
    assert any(line.endswith("installed by none, a vGPU guest's (GRID)") for line in lines)
    assert (
        "CUDA 12.6.85 in /usr/local/cuda-12.6 (repository), 11.8 in /usr/local/cuda-11.8 (runfile);"
        " /usr/local/cuda-12.6 is what /usr/local/cuda means"
    ) in lines
    assert "NCCL 2.28.3, /usr/lib/x86_64-linux-gnu/libnccl.so.2" in lines


def test_a_library_that_the_linker_does_not_find_is_told():
    facts = copy.deepcopy(REAL)
    facts["nccl"] = {"libraries": [{"path": "/opt/nccl/lib/libnccl.so.2", "version": None}], "default": None}
    assert "NCCL is on the disk, but the linker does not find it" in summary(facts)
