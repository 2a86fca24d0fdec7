"""The program that restores a vGPU host after a boot, on simulated sysfs trees. The programs it calls are stand-ins."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import Result
from tests.unit.vgpu_trees import A16, UUID, Tree, installed, program

PROGRAM, MACHINE = program()
Machine: Any = MACHINE.Machine
MTTY = {"mtty-1": "Single port serial", "mtty-2": "Dual port serial"}


def device(number=1, **more):
    return {"uuid": UUID.format(number), "parent": "mtty", "type": "mtty-1", "name": MTTY["mtty-1"], **more}


class Clock:
    """Time passes only while the program sleeps."""

    def __init__(self, then=None):
        self.time, self.then, self.slept = 0.0, then or {}, []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds
        self.slept.append(seconds)
        for moment in [moment for moment in sorted(self.then) if moment <= self.time]:
            self.then.pop(moment)()


class Kernel(Machine):
    """A tree whose `create` makes a device, as the kernel's does; *refuses* answers the first writes instead.

    :param programs: by name what a program answers, a Result or a callable with its words
    """

    def __init__(self, tree, refuses=(), programs=None):
        super().__init__(str(tree.root))
        self.tree, self.refuses, self.programs = tree, list(refuses), programs or {}
        self.writes, self.ran = [], []

    def poke(self, path, text):
        self.writes.append((path, text))
        if self.refuses:
            return self.refuses.pop(0)
        if path.endswith("/create"):
            parent, kind = path.split("/")[4], path.split("/")[6]
            self.tree.device(parent, kind, text)
            return None
        return super().poke(path, text)

    def run(self, argv, timeout=30):
        self.ran.append(list(argv))
        answer = self.programs.get(argv[0].rsplit("/", 1)[-1])
        return answer(argv) if callable(answer) else answer or super().run(argv, timeout)


def run(machine, clock=None, *words):
    """(exit status, lines of the journal)"""
    out = io.StringIO()
    status = PROGRAM.main(list(words), clock or Clock(), MACHINE.Journal(out), machine)
    return status, out.getvalue().splitlines()


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "root")


def test_devices_come_back_with_their_uuids_and_a_second_run_touches_nothing(tree):
    tree.parent("mtty", MTTY)
    tree.state(devices=[device(1), device(2, type="mtty-2", name=MTTY["mtty-2"])])
    machine = Kernel(tree)
    status, lines = run(machine)
    assert status == 0 and lines[-1] == "2 virtual GPUs are declared, 0 failures."
    assert [path.split("/")[6] for path, _text in machine.writes] == ["mtty-1", "mtty-2"]
    again = Kernel(tree)
    assert run(again)[0] == 0 and again.writes == [] and again.ran == []


def test_a_type_is_found_by_its_name_where_the_driver_numbers_anew(tree):
    tree.parent("mtty", {"mtty-7": "Single port serial"})
    tree.state(devices=[device(1)])
    machine = Kernel(tree)
    assert run(machine)[0] == 0
    assert machine.writes[0][0].split("/")[6] == "mtty-7"


def test_a_device_of_another_type_is_left_alone_and_told(tree):
    tree.parent("mtty", MTTY)
    tree.device("mtty", "mtty-2", UUID.format(1))
    tree.state(devices=[device(1), device(2)])
    machine = Kernel(tree)
    status, lines = run(machine)
    assert status == 1 and "left alone" in lines[0]
    assert [text for _path, text in machine.writes] == [UUID.format(2)]


def test_parameters_are_set_as_a_whole(tree):
    tree.parent("mtty", MTTY)
    tree.state(devices=[device(1, parameters={"frame_rate_limiter": 0, "disable_vnc": "1"})])
    run(Kernel(tree))
    path = f"/sys/bus/mdev/devices/{UUID.format(1)}/nvidia/vgpu_params"
    assert tree.read(path) == "disable_vnc=1,frame_rate_limiter=0"


def test_a_refusal_is_tried_again_and_then_told(tree):
    tree.parent("mtty", MTTY)
    tree.state(devices=[device(1), device(2)])
    clock = Clock()
    assert run(Kernel(tree, refuses=["Device or resource busy"]), clock)[0] == 0 and clock.slept == [2]
    tree.state(devices=[device(3), device(4)])
    machine = Kernel(tree, refuses=["No space left on device"] * 3)
    status, lines = run(machine)
    assert status == 1 and any("No space left on device" in line for line in lines)
    assert machine.writes[-1][1] == UUID.format(4)


def test_a_parent_that_comes_late_is_waited_for(tree):
    tree.state(timeout=60, devices=[device(1)])
    clock = Clock({10: lambda: tree.parent("mtty", MTTY)})
    assert run(Kernel(tree), clock)[0] == 0 and 10 <= clock.time < 20


def test_a_parent_that_never_comes_is_a_failure_after_the_time_and_once(tree):
    tree.state(timeout=60, devices=[device(1), device(2)])
    clock = Clock()
    status, lines = run(Kernel(tree), clock)
    assert status == 1 and 60 <= clock.time <= 62 and len([line for line in lines if "offers no" in line]) == 2


def test_a_definition_of_mdevctl_is_started(tree):
    tree.parent("mtty", MTTY)
    tree.file(f"/etc/mdevctl.d/mtty/{UUID.format(1)}", "{}")
    tree.state(devices=[device(1)])

    def start(argv):
        tree.device("mtty", "mtty-1", argv[3])
        return Result(0, "", "")

    machine = Kernel(tree, programs={"mdevctl": start})
    assert run(machine)[0] == 0 and machine.writes == []
    assert machine.ran == [["mdevctl", "start", "--uuid", UUID.format(1), "--parent", "mtty"]]


def test_without_mdevctl_or_where_it_is_not_wanted_sysfs_does_it(tree):
    tree.parent("mtty", MTTY)
    for number in (1, 2):
        tree.file(f"/etc/mdevctl.d/mtty/{UUID.format(number)}", "{}")
    tree.state(devices=[device(1), device(2, backend="sysfs")])
    machine = Kernel(tree, programs={"mdevctl": Result(127, "", "")})
    assert run(machine)[0] == 0
    assert [text for _path, text in machine.writes] == [UUID.format(1), UUID.format(2)]
    assert len(machine.ran) == 1


def test_the_order_is_module_functions_modes_devices(tree):
    """On the vendor-specific interface, with a card whose functions are off after the boot."""
    tree.card(enabled=False)
    tree.manage_stand_in()
    function = f"{A16[:-1]}4"
    row = {
        "uuid": None,
        "parent": function,
        "type": "nvidia-695",
        "name": "NVIDIA A16-2Q",
        "parameters": {"disable_vnc": 1},
    }
    tree.state(modules=["nvidia"], cards=[{"address": A16, "functions": 1, "heterogeneous": True}], devices=[row])
    modes = ["Disabled"]

    def smi(argv):
        if "-shm" in argv:
            modes.append("Enabled")
        return Result(0, f"    vGPU Heterogeneous Mode : {modes[-1]}\n", "")

    machine = Kernel(tree, programs={"nvidia-smi": smi, "modprobe": Result(0, "", "")})
    status, lines = run(machine)
    assert (status, lines[:-1]) == (
        0,
        [
            "Load the module nvidia",
            f"Enable the virtual functions of {A16}",
            f"Put {A16} into heterogeneous mode",
            f"Create a NVIDIA A16-2Q on {function}",
        ],
    )
    assert tree.read(f"/sys/bus/pci/devices/{function}/nvidia/current_vgpu_type") == "695"
    assert tree.read(f"/sys/bus/pci/devices/{function}/nvidia/vgpu_params") == "disable_vnc=1"
    tree.file("/sys/module/nvidia/version")
    again = Kernel(tree, programs={"nvidia-smi": smi})
    assert run(again)[1] == ["1 virtual GPUs are declared, 0 failures."] and again.writes == []


def test_a_lock_that_another_holds_is_waited_out(tree):
    tree.card(enabled=False)
    tree.manage_stand_in(fails=2)
    tree.state(cards=[{"address": A16, "functions": 2}])
    clock = Clock()
    assert run(MACHINE.Machine(str(tree.root)), clock)[0] == 0
    assert clock.slept == [2, 4] and (tree.root / "manage.log").read_text() == f"-e {A16}\n" * 3


def test_a_function_with_another_type_is_left_alone(tree):
    tree.card(functions=0)
    name = tree.function(A16, 0, chosen=694)
    tree.state(devices=[{"uuid": None, "parent": name, "type": "nvidia-695"}])
    machine = Kernel(tree)
    status, lines = run(machine)
    assert status == 1 and "nvidia-694" in lines[0] and machine.writes == []


def test_what_fails_does_not_keep_the_rest_from_coming_back(tree):
    tree.parent("mtty", MTTY)
    tree.state(modules=["absent"], cards=[{"address": "0000:99:00.0", "functions": 4}], devices=[device(1)])
    machine = Kernel(tree, programs={"modprobe": Result(1, "", "modprobe: FATAL: Module absent not found.")})
    status, lines = run(machine)
    assert status == 1 and tree.at(f"/sys/bus/mdev/devices/{UUID.format(1)}").exists()
    assert lines[-1] == "1 virtual GPUs are declared, 2 failures."


def test_check_says_what_would_be_done_and_does_nothing(tree):
    tree.parent("mtty", MTTY)
    tree.card(enabled=False)
    tree.state(modules=["nvidia"], cards=[{"address": A16, "functions": 1}], devices=[device(1)])
    machine = Kernel(tree)
    status, lines = run(machine, None, "--check")
    assert status == 0 and len(lines) == 4 and machine.writes == [] and machine.ran == []


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        "{",
        '{"version": 2}',
        '{"version": 1, "devices": [{"uuid": "../x", "parent": "mtty", "type": "mtty-1"}]}',
        '{"version": 1, "devices": [{"uuid": null, "parent": "../..", "type": "mtty/1"}]}',
        '{"version": 1, "devices": [{}]}',
    ],
)
def test_a_state_that_is_none_is_refused_with_a_sentence(tree, text):
    tree.file("/keep")
    if text is not None:
        tree.file("/etc/gpufleet/vgpu-host.json", text)
    status, lines = run(Kernel(tree))
    assert status == 2 and "Run the role" in lines[0]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_no_state_makes_the_reader_stumble(value):
    """It is a state, or one of the failures that main tells in a sentence."""
    try:
        told = PROGRAM.parse(json.dumps(value))
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    assert told["version"] == 1


def real(tmp_path, *words):
    """The program as the unit runs it, in a Python of its own."""
    argv = [sys.executable, "-I", "-B", str(installed(tmp_path)), "--root", str(tmp_path / "root"), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def test_as_the_unit_runs_it(tree, tmp_path):
    """Real files, a real process; what stands in for NVIDIA's sriov-manage is a script."""
    tree.card(enabled=False)
    tree.manage_stand_in()
    rows = [{"uuid": None, "parent": f"{A16[:-1]}{4 + number}", "type": "nvidia-695"} for number in range(2)]
    tree.state(cards=[{"address": A16, "functions": 2}], devices=rows)
    told = real(tmp_path)
    assert (told.returncode, told.stderr) == (0, "") and told.stdout.splitlines()[-1].endswith("0 failures.")
    chosen = [tree.read(f"/sys/bus/pci/devices/{row['parent']}/nvidia/current_vgpu_type") for row in rows]
    assert chosen == ["695", "695"]
    assert not list(tmp_path.rglob("__pycache__"))


def test_as_the_unit_runs_it_without_a_state(tree, tmp_path):
    tree.file("/keep")
    told = real(tmp_path)
    assert told.returncode == 2 and "cannot be used" in told.stdout
