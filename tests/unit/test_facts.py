"""All observers together: on a machine with nothing, and on one like a real machine with two H200s."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._apart import Begun
from ansible_collections.gpufleet.nvidia.plugins.module_utils._facts import SUBSETS, gather, glibc, wanted
from ansible_collections.gpufleet.nvidia.plugins.module_utils._nvml_probe import probe as nvml_probe
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, NvidiaError
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem

REAL = json.loads(fixture("h200/facts.json"))
RUNS_ON = {"python": "3.12", "machine": "x86_64", "user_id": 0, "timeout": 5}


def card(row):
    """The files and links of sysfs behind one row of the PCI facts."""
    base = f"/sys/bus/pci/devices/{row['address']}"
    bars = {region["index"]: region for region in row["bars"]}
    lines = [
        f"{bars[n]['start']:#018x} {bars[n]['start'] + bars[n]['size'] - 1:#018x} 0x14220c"
        if n in bars
        else "0x0 0x0 0x0"
        for n in range(7)
    ]
    vendor, device = row["subsystem"].split(":")
    files = {
        "vendor": "0x10de\n",
        "device": f"0x{row['device']}\n",
        "class": f"{row['class']}\n",
        "subsystem_vendor": f"0x{vendor}\n",
        "subsystem_device": f"0x{device}\n",
        "numa_node": "-1\n",
        "resource": "\n".join(lines),
    }
    return {f"{base}/{name}": text for name, text in files.items()}, {
        f"{base}/driver": "../../../bus/pci/drivers/nvidia"
    }


def machine_with_two_h200():
    release = "ID=ubuntu\nVERSION_ID='24.04'\nVERSION_CODENAME=noble\nID_LIKE=debian\n"
    files = {
        "/etc/os-release": release,
        "/.dockerenv": "",
        "/proc/cpuinfo": "flags : fpu hypervisor\n",
        "/proc/sys/kernel/osrelease": "6.8.0-40-generic\n",
        "/proc/sys/kernel/random/boot_id": REAL["system"]["boot_id"],
        "/proc/driver/nvidia/version": fixture("proc/580.159.04-open.txt"),
        "/sys/module/nvidia/taint": "O\n",
        "/sys/module/nvidia_uvm/taint": "O\n",
        "/etc/ld.so.conf.d/nvidia.conf": "/usr/local/nvidia/lib64\n",
        "/usr/local/nvidia/lib64/libnvidia-ml.so.580.159.04": "",
    }
    links = {}
    for row in REAL["pci"]:
        more_files, more_links = card(row)
        files.update(more_files)
        links.update(more_links)
    modes = {"passthrough": 1}
    gpus = [{**gpu, "virtualization_mode": modes[gpu["virtualization_mode"]]} for gpu in REAL["gpus"]]
    answer = json.dumps({**REAL["nvml"], "gpus": gpus})
    return FakeSystem(files, links, told=answer)


def test_the_same_machine_gives_the_facts_that_the_real_one_gave():
    facts = gather(machine_with_two_h200(), ["all"], **RUNS_ON)
    assert facts["system"].pop("glibc") is None, "nobody said on which one it runs"
    for part in ("pci", "gpus", "nvml", "driver", "nouveau", "kernel", "place", "coherence", "partial", "system"):
        assert facts[part] == REAL[part], part


def test_a_machine_with_nothing_gives_values_for_everything_and_starts_no_program():
    system = FakeSystem()
    facts = gather(system, ["all"], **RUNS_ON)
    assert facts["coherence"] == {"verdict": "absent", "reasons": []}
    assert (facts["pci"], facts["gpus"], facts["partial"]) == ([], [], [])
    assert system.ran == []
    json.dumps(facts)


def test_a_machine_with_everything_starts_no_program():
    system = machine_with_two_h200()
    gather(system, ["all"], **RUNS_ON)
    assert system.ran == []


class Telling(FakeSystem):
    """A machine that writes down in which order it is asked."""

    def __init__(self, like):
        super().__init__(like.files, like.links, told=like.told)
        self.asked = []

    def read(self, path):
        self.asked.append(path)
        return super().read(path)

    def begin(self, work, seconds):
        self.asked.append(("begun", work, seconds))
        return Begun(self._result)

    def _result(self):
        self.asked.append("answer")
        return self.told


def test_nvml_works_while_everything_that_needs_no_answer_of_it_is_read():
    system = Telling(machine_with_two_h200())
    gather(system, ["all"], **RUNS_ON)
    begun, answer = system.asked.index(("begun", nvml_probe, RUNS_ON["timeout"])), system.asked.index("answer")
    assert set(system.asked[:begun]) == {"/proc/driver/nvidia/version", "/sys/module/nvidia/taint"}
    assert {"/etc/os-release", "/var/lib/dpkg/status", "/proc/net/tcp"} <= set(system.asked[begun:answer])


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["all"], list(SUBSETS)),
        (["!nvml"], [name for name in SUBSETS if name != "nvml"]),
        (["pci"], ["system", "pci"]),
        (["driver"], ["system", "kernel", "pci", "driver"]),
        (["cuda"], ["system", "cuda"]),
        (
            ["all", "!persistence"],
            [
                "system",
                "kernel",
                "pci",
                "driver",
                "nvml",
                "cuda",
                "nccl",
                "gridd",
                "secure_boot",
                "mdev",
                "vllm",
                "records",
            ],
        ),
        (["secure_boot"], ["system", "kernel", "secure_boot"]),
        (["gridd"], ["system", "kernel", "pci", "driver", "nvml", "gridd"]),
        (["mdev"], ["system", "kernel", "pci", "driver", "nvml", "mdev"]),
    ],
)
def test_what_a_subset_needs_comes_with_it(asked, expected):
    assert wanted(asked) == expected


@pytest.mark.parametrize("subset", SUBSETS)
def test_every_subset_can_be_left_out(subset):
    gather(FakeSystem(), [f"!{subset}"], **RUNS_ON)


@given(st.lists(st.sampled_from(["all", *SUBSETS, *(f"!{name}" for name in ("all", *SUBSETS))])))
def test_any_choice_of_subsets_can_be_gathered(asked):
    facts = gather(machine_with_two_h200(), asked, **RUNS_ON)
    assert facts["gathered"] == wanted(asked)
    assert ("coherence" in facts) == ("driver" in facts["gathered"])


@pytest.mark.parametrize("manager", ["rhel", "arch"])
def test_a_program_that_takes_too_long_leaves_a_gap_with_its_reason(manager):
    def hang(argv):
        raise CommandTimeout(argv, 20)

    files = {
        "/etc/os-release": f"ID={manager}\n",
        "/run/systemd/system/x": "",
        "/usr/lib/systemd/system/nvidia-persistenced.service": "",
    }
    commands = {("rpm",): hang, ("pacman",): hang, ("systemctl",): hang}
    facts = gather(FakeSystem(files, commands=commands), ["all"], **RUNS_ON)
    program = {"rhel": "rpm", "arch": "pacman"}[manager]
    assert [row["source"] for row in facts["partial"]] == [program, "systemctl"]
    assert all("did not end within 20 s" in row["reason"] for row in facts["partial"])
    assert (facts["driver"]["install"]["method"], facts["persistence"]["unit"]) == ("none", None)


def test_an_unknown_subset_is_refused_with_the_known_ones():
    with pytest.raises(NvidiaError, match=r"pcie.*nvml"):
        wanted(["pcie"])


def test_the_version_of_the_c_library_is_a_number_or_nothing():
    assert glibc() is None or re.fullmatch(r"2\.\d+", glibc())
