from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._nvml import complete, observe, parse_answer
from tests.unit.fake_system import FakeSystem

LOADED = {"version": "580.159.04"}
PCI = [{"address": "0000:00:06.0", "device": "2335"}]


def ask(answer):
    return observe(FakeSystem(told=answer), PCI, LOADED, 5)


def test_without_a_module_nobody_is_asked():
    nvml, gpus, partial = observe(FakeSystem(told=json.dumps({"available": True})), PCI, None, 5)
    assert (nvml["available"], gpus, partial) == (False, [], [])


def test_an_answer_is_completed_from_the_pci_bus():
    gpu = {"index": 0, "address": "0000:00:06.0", "virtualization_mode": 1}
    nvml, gpus, partial = ask(json.dumps({"available": True, "code": 0, "driver_version": "580.159.04", "gpus": [gpu]}))
    assert nvml["available"] and nvml["driver_version"] == "580.159.04" and not partial
    assert gpus == [{**gpu, "architecture": "hopper", "virtualization_mode": "passthrough"}]


def test_a_missing_library_is_a_value():
    nvml, gpus, partial = ask(json.dumps({"available": False, "code": 12, "reason": "NVML Shared Library Not Found"}))
    assert (nvml["available"], nvml["code"], gpus, partial) == (False, 12, [], [])


def test_a_hang_yields_partial_facts_with_the_reason():
    nvml, _gpus, partial = ask(None)
    assert nvml["available"] is False
    assert "did not answer within 5 s" in nvml["reason"] and partial == [{"source": "nvml", "reason": nvml["reason"]}]


def test_a_probe_that_dies_is_told():
    nvml, gpus, partial = ask("")
    assert "died without an answer" in nvml["reason"] and gpus == []
    assert partial == [{"source": "nvml", "reason": nvml["reason"]}]


@given(st.text())
def test_no_text_breaks_the_parser(text):
    assert isinstance(parse_answer(text), dict)


def test_a_gpu_that_is_on_no_bus_has_no_architecture():
    assert complete([{"index": 0, "lost": True}], PCI)[0]["architecture"] is None
