from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _persistence_mode as core
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from tests.unit.fake_system import FakeSystem

PYTHON = "/usr/bin/python3"
FIRST, SECOND = "0000:17:00.0", "0000:65:00.0"


class Machine:
    """Two GPUs behind the program that asks NVML."""

    def __init__(self, first, second, refused=None, lies=False):
        self.modes = {FIRST: first, SECOND: second}
        self.refused, self.lies = refused or {}, lies

    def __call__(self, argv):
        _python, _dash, *rest = argv
        for address in rest[1:]:
            if address not in self.refused and not self.lies:
                self.modes[address] = rest[0] == "on"
        gpus = [
            {"index": index, "address": address, "uuid": f"GPU-{index}", "mode": mode}
            for index, (address, mode) in enumerate(self.modes.items())
        ]
        refused = {address: why for address, why in self.refused.items() if address in rest}
        return json.dumps({"gpus": gpus, "refused": refused})


def ensure(machine, apply=True, state="enabled", gpus=()):
    system = FakeSystem(commands={(PYTHON, "-"): machine})
    params = {"state": state, "gpus": list(gpus), "timeout": 10}
    return core.ensure(params, system, apply=apply, python=PYTHON), system


@pytest.mark.parametrize(
    ("first", "second", "state", "steps"),
    [
        (False, False, "enabled", 2),
        (True, False, "enabled", 1),
        (True, True, "enabled", 0),
        (True, True, "disabled", 2),
        (False, False, "disabled", 0),
        (None, False, "enabled", 1),
        (None, None, "enabled", 0),
    ],
)
def test_one_step_for_each_gpu_in_the_other_mode(first, second, state, steps):
    result, _system = ensure(Machine(first, second), state=state)
    assert len(result["steps"]) == steps
    assert result["changed"] == bool(steps)


def test_a_second_run_is_idle_and_sets_nothing():
    machine = Machine(False, False)
    assert ensure(machine)[0]["changed"]
    result, system = ensure(machine)
    assert not result["changed"]
    assert system.ran == [[PYTHON, "-"]]


def test_check_mode_foretells_the_same_and_sets_nothing():
    machine = Machine(False, True)
    foretold, system = ensure(machine, apply=False)
    assert system.ran == [[PYTHON, "-"]]
    assert machine.modes[FIRST] is False
    done, _system = ensure(machine)
    assert foretold == done
    assert foretold["diff"]["before"] != foretold["diff"]["after"]


@pytest.mark.parametrize("name", ["1", SECOND, SECOND.upper(), "GPU-1", "gpu-1"])
def test_gpus_are_chosen_by_index_address_or_uuid(name):
    machine = Machine(False, False)
    ensure(machine, gpus=[name])
    assert machine.modes == {FIRST: False, SECOND: True}


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_set():
    machine = Machine(False, False)
    with pytest.raises(NvidiaError, match=r"no GPU 7 on this host; it has 0 \(0000:17:00.0\), 1"):
        ensure(machine, gpus=["0", "7"])
    assert machine.modes[FIRST] is False


def test_a_refusal_is_told_with_nvml_s_reason():
    with pytest.raises(NvidiaError, match=r"Insufficient Permissions.*needs root"):
        ensure(Machine(False, False, refused={SECOND: "Insufficient Permissions"}))


def test_a_driver_that_lies_is_found_out():
    with pytest.raises(NvidiaError, match="did not do it"):
        ensure(Machine(False, False, lies=True))


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        ('{"error": "NVML says: Driver Not Loaded"}', "Driver Not Loaded.*role nvidia_driver"),
        ("", "makes no sense"),
        ("[]", "makes no sense"),
        ('{"gpus": [{}], "refused": {}}', "makes no sense"),
        (Result(1, "", "Traceback: boom"), "ended with 1: Traceback: boom"),
    ],
)
def test_what_goes_wrong_is_a_sentence(answer, match):
    with pytest.raises(NvidiaError, match=match):
        ensure(lambda _argv: answer)


@given(st.text())
def test_any_answer_is_parsed_or_explained(text):
    try:
        gpus, refused = core.parse_answer(text)
    except NvidiaError:
        return
    assert isinstance(gpus, list) and isinstance(refused, dict)


def test_the_program_that_runs_on_the_target_compiles_for_old_pythons():
    compile(core.PROGRAM, "program", "exec")
