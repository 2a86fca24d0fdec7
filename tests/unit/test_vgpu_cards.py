"""Functions and modes of cards: a card that is right is not touched, and one that is in use is not changed."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vgpu_cards as cards
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import Result
from tests.unit.fake_system import FakeSystem

CARD = "0000:3b:00.0"
BASE = f"{cards.PCI}/{CARD}"


class Stand(FakeSystem):
    """A card whose programs do what NVIDIA documents; a stand-in."""

    def __init__(self, enabled=0, mixed="Disabled", mig="Disabled", instances=(), failures=0):
        super().__init__({f"{BASE}/sriov_numvfs": f"{enabled}\n"})
        self.mixed, self.mig, self.made, self.failures = mixed, mig, list(instances), failures
        self.commands[(cards.MANAGE,)] = self.manage
        self.commands[("nvidia-smi",)] = self.smi

    def manage(self, argv):
        self.failures -= 1
        if self.failures >= 0:
            return Result(1, "", "Cannot obtain unbindLock for 0000:3b:00.0")
        self.files[f"{BASE}/sriov_numvfs"] = "16\n"
        return ""

    def smi(self, argv):
        if "-shm" in argv:
            self.mixed = "Enabled"
        if "-mig" in argv:
            self.mig = "Enabled"
        if "-cgi" in argv:
            self.made += argv[-1].split(",")
        if "-lgi" in argv:
            return "".join(f"|   0  MIG {name}        14        {place}          {place}:2     |\n"
                           for place, name in enumerate(self.made))  # fmt: skip
        if "-q" in argv:
            return f"    GPU Virtualization Mode\n        vGPU Heterogeneous Mode           : {self.mixed}\n"
        return f"{self.mig}\n"

    @property
    def calls(self):
        changing = ("-e", "-shm", "-mig", "-cgi")
        return [argv for argv in self.ran if any(word in argv for word in changing)]


def ensure(system, *, apply=True, waits=None, **want):
    return cards.ensure(
        {"cards": [{"address": CARD, **want}]}, system, apply=apply, wait=[].append if waits is None else waits.append
    )


@pytest.mark.parametrize(
    ("want", "words"),
    [
        ({"functions": 4}, ["Enable the virtual functions of 0000:3b:00.0"]),
        ({"heterogeneous": True}, ["Put 0000:3b:00.0 into heterogeneous mode"]),
        ({"mig": True}, ["Put 0000:3b:00.0 into MIG mode"]),
        (
            {"functions": 2, "instances": {"2g.10gb": 2, "1g.5gb+me": 1}},
            [
                "Enable the virtual functions of 0000:3b:00.0",
                "Put 0000:3b:00.0 into MIG mode",
                "Make 1 GPU instances 1g.5gb+me on 0000:3b:00.0",
                "Make 2 GPU instances 2g.10gb on 0000:3b:00.0",
            ],
        ),
        ({}, []),
    ],
)
def test_steps_are_predicted_taken_and_then_there_are_none(want, words):
    system = Stand()
    planned = ensure(system, apply=False, **want)
    assert planned["steps"] == words and system.calls == []
    done = ensure(system, **want)
    assert {**done} == {**planned} and done["changed"] is bool(words)
    again = ensure(system, **want)
    assert not again["changed"] and len(system.calls) == len(words)


def test_instances_that_are_there_are_counted():
    system = Stand(mig="Enabled", instances=["2g.10gb"])
    assert ensure(system, instances={"2g.10gb": 3})["steps"] == ["Make 2 GPU instances 2g.10gb on 0000:3b:00.0"]
    assert system.calls == [["nvidia-smi", "mig", "-i", CARD, "-cgi", "2g.10gb,2g.10gb"]]


def test_a_lock_is_waited_out_and_a_failure_is_told_with_the_program_s_words():
    waits: list[int] = []
    assert ensure(Stand(failures=2), waits=waits, functions=1)["changed"] and waits == [2, 4]
    with pytest.raises(cards.Refused, match="unbindLock"):
        ensure(Stand(failures=99), functions=1)


def test_a_card_that_carries_virtual_gpus_is_not_changed_under_them():
    system = Stand(enabled=4)
    system.links[f"{BASE}/virtfn0"] = "../0000:3b:00.4"
    system.files[f"{cards.PCI}/0000:3b:00.4/nvidia/current_vgpu_type"] = "695\n"
    assert ensure(system, functions=4)["steps"] == []
    with pytest.raises(cards.Refused, match="virtual GPUs are on the card"):
        ensure(system, heterogeneous=True)
    mediated = Stand()
    mediated.links[f"{cards.BUS}/{CARD}"] = f"/sys/devices/pci/{CARD}"
    mediated.links[f"{cards.MEDIATED}/83c3"] = f"/sys/devices/pci/{CARD}/83c3"
    mediated.files[f"/sys/devices/pci/{CARD}/83c3/remove"] = ""
    with pytest.raises(cards.Refused, match="virtual GPUs are on the card"):
        ensure(mediated, functions=4)
    assert mediated.calls == []


def test_a_mode_that_stays_pending_is_no_success():
    system = Stand()
    system.commands[("nvidia-smi",)] = "Disabled\n"
    with pytest.raises(cards.Refused, match="not as it shall be"):
        ensure(system, mig=True)


def test_a_card_that_is_not_there_is_refused_before_any_change():
    system = Stand()
    with pytest.raises(cards.Refused, match="No card is at 0000:99"):
        cards.ensure({"cards": [{"address": CARD, "functions": 1}, {"address": "0000:99:00.0"}]}, system, apply=True,
                     wait=list)  # fmt: skip
    assert system.calls == []


def test_a_missing_program_is_not_tried_for_long():
    waits: list[int] = []
    system = Stand()
    del system.commands[(cards.MANAGE,)]
    with pytest.raises(cards.Refused, match="not found"):
        ensure(system, waits=waits, functions=1)
    assert waits == []
