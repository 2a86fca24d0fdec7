from __future__ import annotations

import ast
import json

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._nvml import complete, observe, parse_answer
from ansible_collections.gpufleet.nvidia.plugins.module_utils._nvml_probe import PROGRAM
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, Result
from tests.unit.fake_system import FakeSystem

LOADED = {"version": "580.159.04"}
PCI = [{"address": "0000:00:06.0", "device": "2335"}]


def ask(answer):
    return observe(FakeSystem(commands={("python3",): answer}), "python3", PCI, LOADED, 5)


def test_without_a_module_nobody_is_asked():
    system = FakeSystem()
    nvml, gpus, partial = observe(system, "python3", PCI, None, 5)
    assert (nvml["available"], gpus, partial, system.ran) == (False, [], [], [])


def test_an_answer_is_completed_from_the_pci_bus():
    gpu = {"index": 0, "address": "0000:00:06.0", "virtualization_mode": 1}
    nvml, gpus, partial = ask(json.dumps({"available": True, "code": 0, "driver_version": "580.159.04", "gpus": [gpu]}))
    assert nvml["available"] and nvml["driver_version"] == "580.159.04" and not partial
    assert gpus == [{**gpu, "architecture": "hopper", "virtualization_mode": "passthrough"}]


def test_a_missing_library_is_a_value():
    nvml, gpus, partial = ask(json.dumps({"available": False, "code": 12, "reason": "NVML Shared Library Not Found"}))
    assert (nvml["available"], nvml["code"], gpus, partial) == (False, 12, [], [])


def test_a_hang_yields_partial_facts_with_the_reason():
    def hang(argv):
        raise CommandTimeout(argv, 5)

    nvml, _gpus, partial = ask(hang)
    assert nvml["available"] is False
    assert "hangs" in nvml["reason"] and partial[0]["source"] == "nvml"


def test_a_probe_that_dies_is_told_with_its_last_words():
    _nvml, gpus, partial = ask(Result(139, "", "Segmentation fault"))
    assert "Segmentation fault" in partial[0]["reason"] and gpus == []


@given(st.text())
def test_no_text_breaks_the_parser(text):
    assert isinstance(parse_answer(text), dict)


def test_a_gpu_that_is_on_no_bus_has_no_architecture():
    assert complete([{"index": 0, "lost": True}], PCI)[0]["architecture"] is None


def test_the_probe_is_a_program_that_every_target_python_can_read():
    ast.parse(PROGRAM, feature_version=(3, 9))
