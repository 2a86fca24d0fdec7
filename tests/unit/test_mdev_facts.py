"""What a vGPU host tells of its virtual GPUs, on simulated hosts; the grammars take any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_config as config
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_facts, _pci
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_holders as holders
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_mdevctl as mdevctl
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_types as types
from ansible_collections.gpufleet.nvidia.plugins.module_utils._facts import gather
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import Result
from tests.unit.fake_system import FakeSystem
from tests.unit.mdev_hosts import MTTY, P4, PCI, MdevHost, a16_table, uuid

# Debian's rule, and the path that it calls; the package has /usr/bin/mdevctl
RULE = "/lib/udev/rules.d/60-mdevctl.rules"
RULE_TEXT = """ACTION=="change", TEST=="/etc/mdevctl.d/$kernel", \
RUN+="/bin/sh -c '{ /usr/sbin/mdevctl start-parent-mdevs %k 2>&3 | logger -t mdevctl; }'"
"""


def observe(machine, gpus=()):
    return _mdev_facts.observe(machine, _pci.observe(machine), list(gpus))


def test_a_host_without_anything_of_it_starts_no_program():
    assert observe(FakeSystem()) is None
    machine = FakeSystem()
    runs_on = {"python": "3.9", "machine": "x86_64", "user_id": 0, "timeout": 5}
    assert gather(machine, ["mdev"], **runs_on)["mdev"] is None
    assert machine.ran == []


def test_a_tesla_p4_offers_what_field_reports_show():
    (card,) = observe(MdevHost())["cards"]
    assert (card["framework"], card["parents"], card["sriov"]) == ("mdev", [P4], None)
    row = next(kind for kind in card["types"] if kind["id"] == "nvidia-65")
    wanted = {
        "name": "GRID P4-4Q",
        "series": "Q",
        "framebuffer_mib": 4096,
        "max_instances": 2,
        "available": 2,
        "heads": 4,
    }
    assert {name: row[name] for name in wanted} == wanted


def test_a_device_tells_who_has_it_open():
    machine = MdevHost()
    machine.make(uuid(1), P4, "nvidia-65")
    machine.make(uuid(2), P4, "nvidia-65")
    machine.opened(1)
    first, second = observe(machine)["devices"]
    assert (first["open_by"], first["active"], first["defined"], first["card"]) == ([], True, False, P4)
    assert second["open_by"] == [{"pid": 4711, "program": "qemu-system-x86", "vm": "win11"}]
    assert second["name"] == "GRID P4-4Q"


def test_a_parent_need_not_be_a_gpu():
    machine = MdevHost(p4=False, mtty=True)
    machine.files[f"/etc/mdevctl.d/{MTTY}/{uuid(3)}"] = '{"mdev_type": "mtty-2", "start": "auto", "attrs": []}'
    facts = observe(machine)
    (card,) = facts["cards"]
    assert (card["address"], card["kind"], card["framework"]) == (MTTY, "other", "mdev")
    assert {row["id"]: row["available"] for row in card["types"]} == {"mtty-1": 24, "mtty-2": 12}
    (device,) = facts["devices"]
    assert (device["active"], device["defined"], device["autostart"], device["name"]) == (
        False, True, True, "Dual port serial",
    )  # fmt: skip


def test_functions_of_the_vendor_specific_interface_are_one_card_s():
    machine = MdevHost(p4=False, vendor=True)
    machine.poke(f"{PCI}/0000:3b:00.5/nvidia/current_vgpu_type", "696")
    nvml = {"address": "0000:3b:00.0", "name": "NVIDIA A16", "memory_mib": 15356, "ecc": None, "mig": None,
            "vgpu_host": {"heterogeneous": {"enabled": False, "profiles": True, "sizes": False}}}  # fmt: skip
    facts = observe(machine, [nvml])
    (card,) = facts["cards"]
    assert (card["framework"], card["parents"]) == ("vendor_vfio", machine.vendor)
    assert (card["sriov"]["total"], card["sriov"]["enabled"]) == (16, 4)
    assert card["heterogeneous"] == {"enabled": False, "profiles": True, "sizes": False}
    rows = {row["name"]: row for row in card["types"]}
    assert (rows["NVIDIA A16-4Q"]["available"], rows["NVIDIA A16-4Q"]["max_instances"]) == (3, 4)
    assert rows["NVIDIA A16-2Q"]["available"] == 0, "not creatable beside another size, but known from the table"
    (device,) = facts["devices"]
    assert (device["uuid"], device["parent"], device["name"]) == (None, "0000:3b:00.5", "NVIDIA A16-4Q")


def test_before_its_functions_are_on_a_card_has_types_from_the_manager_s_table():
    machine = MdevHost(p4=False, vendor=True, functions=0)
    (card,) = observe(machine)["cards"]
    assert (card["framework"], card["parents"]) == ("none", [])
    assert {row["name"]: (row["max_instances"], row["available"]) for row in card["types"]}["NVIDIA A16-2Q"] == (
        8,
        None,
    )


@pytest.mark.parametrize(
    ("files", "works", "reason"),
    [
        ({RULE: RULE_TEXT}, False, f"{RULE} calls /usr/sbin/mdevctl, which is not there"),
        ({RULE: RULE_TEXT, "/usr/sbin/mdevctl": ""}, True, None),
        ({RULE: RULE_TEXT, "/etc/udev/rules.d/60-mdevctl.rules": ""}, False,
         "/etc/udev/rules.d/60-mdevctl.rules does not call mdevctl start-parent-mdevs"),
        ({}, False, "no udev rule 60-mdevctl.rules is there"),
    ],
)  # fmt: skip
def test_autostart_works_only_where_the_rule_s_program_is_there(files, works, reason):
    machine = MdevHost()
    machine.files.update(files)
    found = observe(machine)["mdevctl"]
    assert (found["version"], found["autostart_works"], found["reason"]) == ("1.2.0", works, reason)


def test_mdevctl_that_fails_or_lacks_is_none():
    machine = MdevHost()
    machine.commands[("mdevctl", "--version")] = Result(
        1, "", 'Error: Required directory "/etc/mdevctl.d" doesn\'t exist.'
    )
    assert (observe(machine)["mdevctl"]["version"], observe(machine)["mdevctl"]["autostart_works"]) == (None, False)
    assert observe(MdevHost(mdevctl=False))["mdevctl"]["reason"] == "mdevctl is not installed"


def test_the_manager_s_services_and_the_iommu():
    machine = MdevHost()
    machine.commands[("systemctl", "show")] = (
        "Id=nvidia-vgpud.service\nLoadState=loaded\nUnitFileState=enabled\nActiveState=inactive\nSubState=dead\nResult=success\n\n"
        "Id=nvidia-vgpu-mgr.service\nLoadState=loaded\nUnitFileState=disabled\nActiveState=active\nSubState=running\n"
    )
    machine.files["/proc/cmdline"] = "quiet intel_iommu=on iommu=pt\n"
    facts = observe(machine)
    assert facts["services"] == {
        "nvidia-vgpud.service": {"present": True, "enabled": True, "active": True, "sub": "dead"},
        "nvidia-vgpu-mgr.service": {"present": True, "enabled": False, "active": True, "sub": "running"},
    }
    words = ["intel_iommu=on", "iommu=pt"]
    assert facts["iommu"] == {"enabled": False, "groups": 0, "command_line": words, "next_boot": None}
    machine.links["/sys/class/iommu/dmar0"] = "../../devices/virtual/iommu/dmar0"
    assert observe(machine)["iommu"]["enabled"] is True


# Names and descriptions after NVIDIA's documentation and field reports -------------------------------------


@pytest.mark.parametrize(
    ("name", "series", "mib", "slices"),
    [
        ("GRID P40-8Q", "Q", 8192, None),
        ("GRID P4-2B4", "B", 2048, None),
        ("GRID M60-0B", "B", 512, None),
        ("NVIDIA A100-4-20C", "C", 20480, 4),
        ("NVIDIA A100D-1-10CME", "C", 10240, 1),
        ("NVIDIA RTX6000-Ada-48Q", "Q", 49152, None),
        ("NVIDIA RTX 6000 Ada-48C", "C", 49152, None),
        ("NVIDIA RTX Pro 6000 Blackwell DC-1-24Q", "Q", 24576, 1),
        ("NVIDIA H100XM-1-10C", "C", 10240, 1),
        ("Single port serial", None, None, None),
    ],
)
def test_a_name_tells_series_size_and_slices(name, series, mib, slices):
    row = types.describe("nvidia-1", name)
    assert (row["series"], row["framebuffer_mib"], row["slices"]) == (series, mib, slices)


def test_a_description_tells_more_than_the_name():
    text = "num_heads=4, frl_config=45, framebuffer=2048M, max_resolution=5120x2880, max_instance=12"
    row = types.describe("nvidia-47", "GRID P40-2Q", text)
    assert (row["heads"], row["frame_rate_limit"], row["max_resolution"]) == (4, 45, "5120x2880")
    assert (row["framebuffer_mib"], row["max_instances"]) == (2048, 12)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ID    : vGPU Name\n694   : NVIDIA A16-1Q\n", {"nvidia-694": "NVIDIA A16-1Q"}),
        ("NVIDIA A40-2Q    558\n", {"nvidia-558": "NVIDIA A40-2Q"}),
        ("", {}),
        (None, {}),
    ],
)
def test_both_layouts_of_creatable_types_are_read(text, found):
    assert types.parse_creatable(text) == found


@pytest.mark.parametrize(
    ("text", "address"),
    [("00000000:3B:00.0", "0000:3b:00.0"), ("3b:00.0", "0000:3b:00.0"), ("0000:3b:00.4", "0000:3b:00.4"),
     ("mtty", "mtty"), ("00010000:3b:00.0", "10000:3b:00.0")],
)  # fmt: skip
def test_an_address_is_written_as_sysfs_does(text, address):
    assert types.address(text) == address


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z_-]{0,9}", fullmatch=True), st.from_regex(r"[0-9]{1,4}", fullmatch=True))
)
def test_parameters_survive_the_way_to_sysfs_and_back(pairs):
    assert types.parse_pairs(types.render_pairs(pairs)) == pairs


@given(st.text(), st.text())
def test_any_text_is_a_type_a_list_and_a_definition_without_falling(text, other):
    types.describe(text, other, text, None)
    assert all(identity.startswith("nvidia-") for identity in types.parse_creatable(text))
    assert mdevctl.parse_definition("u", "p", text) is None or text.strip().startswith("{")
    assert len(types.nearest(text, [other])) <= 1
    types.address(text)
    config.parse(text)
    assert holders.guest(text.split()) is None or "-name" in text


@given(st.integers(0, 30), st.sampled_from(["", ">", "<pgpu>", '"', "</vgpuType>"]))
def test_a_table_that_is_cut_or_torn_is_read_as_far_as_it_goes(place, junk):
    text = a16_table()
    at = place * len(text) // 30
    kinds, cards = config.parse(text[:at] + junk + text[at:])
    assert set(kinds) <= {"nvidia-694", "nvidia-695", "nvidia-696", "nvidia-697"}
    assert len(cards) <= 1


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["-name", "guest=win11,debug-threads=on"], "win11"),
        (["-id", "116", "-name", "Win-P4-4Q,debug-threads=on"], "Win-P4-4Q"),
        (["-name"], None),
        ([], None),
    ],
)
def test_a_machine_s_name_is_among_qemu_s_arguments(arguments, name):
    assert holders.guest(arguments) == name
