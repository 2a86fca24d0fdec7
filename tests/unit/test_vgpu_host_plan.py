"""What a vGPU host needs, decided from facts. The cards are written after documentation; no such card was there."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mdev_facts, _pci
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_plan import DEFAULTS, vgpu_host_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_reboot import vgpu_host_reboot
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_verification import vgpu_host_verification
from tests.unit.mdev_hosts import MdevHost
from tests.unit.test_mdev_plan import card

KERNEL = "6.1.0-50-amd64"
P4, GEFORCE, A16 = "1bb3", "1380", "25b6"
RUN = {"src": "files/NVIDIA-Linux-x86_64-535.309.01-vgpu-kvm.run", "sha256": "0" * 64}
DESKS = [{"name": "desks", "profile": "GRID P40-8Q", "count": 2}]
PROGRAM = {"__main__.py": "main\n", "machine.py": "machine\n", "vgpu_cards.py": "cards\n"}


def pci(device=P4, address="0000:05:00.0", group="14"):
    return {
        "address": address, "device": device, "subsystem": "10de:11d8", "kind": "gpu", "architecture": "pascal",
        "iommu_group": group, "physical_function": None, "driver": None, "virtual_functions": 0, "name": None,
    }  # fmt: skip


def facts(cards=(), gpus=None, manager="535.309.01", loaded=None, **more):
    """A host with these cards (of test_mdev_plan), PCI functions and vGPU manager."""
    version = loaded or manager
    mdev = {
        "cards": [row for row, _there in cards],
        "devices": [row for _card, there in cards for row in there],
        "services": {
            "nvidia-vgpu-mgr.service": {"present": bool(manager), "enabled": True, "active": True, "sub": "running"}
        },
        "iommu": {"enabled": True, "groups": 20, "command_line": []},
        "proxmox": False,
    }
    return {
        "system": {"distribution": "debian", "version": "12", "package_manager": "apt", "secure_boot": "disabled"},
        "kernel": {"running": KERNEL, "next": KERNEL, "installed": [{"release": KERNEL, "image": True}]},
        "pci": [pci()] if gpus is None else gpus,
        "place": "vgpu_host" if cards else "bare_metal",
        "driver": {
            "loaded": {"version": version, "flavour": "proprietary", "modules": ["nvidia", "nvidia_vgpu_vfio"]}
            if version
            else None,
            "on_disk": {KERNEL: {"version": manager, "flavour": "proprietary"} if manager else None},
            "install": {
                "method": "runfile" if manager else "none",
                "packages": [],
                "runfile": {"uninstaller": "/usr/bin/nvidia-uninstall", "version": manager} if manager else None,
            },
        },
        "nouveau": {"loaded": [], "bound": []},
        "mok": {"enforced": False},
        "mdev": mdev if cards or manager else None,
        **more,
    }


def codes(plan, severity="error"):
    return [row["code"] for row in plan["findings"] if row["severity"] == severity]


def text(plan):
    return " ".join(row["text"] for row in plan["findings"])


def written(plan, path):
    return next(row for row in plan["restore_files"] if row["path"] == path).get("content")


def state(plan):
    return json.loads(written(plan, "/etc/gpufleet/vgpu-host.json"))


def test_nothing_declared_is_idle():
    plan = vgpu_host_plan(facts([card("P40")]), {})
    assert plan["idle"] and not plan["findings"] and not plan["restore_files"] and not plan["module_files"]
    assert vgpu_host_reboot(facts([card("P40")]), plan)["required"] is False


@pytest.mark.parametrize(
    ("wants", "idle"),
    [
        ({"requests": DESKS}, False),
        ({"scheduler": "equal_share"}, False),
        ({"iommu_enabled": True}, False),
        ({"sriov_enabled": True}, False),
        ({"purge": True}, False),
        ({"state": "absent"}, False),
        ({"method": "none"}, True),
        ({"sriov_enabled": False}, True),
    ],
)
def test_what_counts_as_a_declaration(wants, idle):
    assert vgpu_host_plan(facts([card("P40")]), wants)["idle"] is idle


def test_requests_become_devices_and_a_state_to_restore():
    plan = vgpu_host_plan(facts([card("P40")]), {"requests": DESKS}, "h1", PROGRAM)
    assert codes(plan) == [] and plan["ready"] and plan["restore"] and not plan["pending"]
    assert len(plan["devices"]) == 2 and {row["parent"] for row in plan["devices"]} == {"0000:05:00.0"}
    told = state(plan)
    assert told["modules"] == ["nvidia", "nvidia_vgpu_vfio"] and told["cards"] == []
    assert [row["name"] for row in told["devices"]] == ["GRID P40-8Q", "GRID P40-8Q"]
    assert {row["uuid"] for row in told["devices"]} == {row["uuid"] for row in plan["devices"]}
    assert [row["path"].rsplit("/", 1)[-1] for row in plan["restore_files"]] == [
        "__main__.py", "machine.py", "vgpu_cards.py", "vgpu-host.json", "gpufleet-vgpu-restore.service",
    ]  # fmt: skip


def test_a_declaration_that_is_met_keeps_its_state():
    """The second run writes the same file: what is there has the UUIDs that it had."""
    first = vgpu_host_plan(facts([card("P40")]), {"requests": DESKS}, "h1", PROGRAM)
    row, _there = card("P40")
    there = [
        {**device, "card": device["parent"], "name": "GRID P40-8Q", "active": True, "open_by": []}
        for device in first["devices"]
    ]
    met = facts([(row, there)])
    second = vgpu_host_plan(met, {"requests": DESKS}, "h1", PROGRAM)
    assert written(second, "/etc/gpufleet/vgpu-host.json") == written(first, "/etc/gpufleet/vgpu-host.json")
    assert vgpu_host_verification(met, second) == []


@pytest.mark.parametrize(
    ("told", "wants", "code", "words"),
    [
        (facts(gpus=[], manager=None), {"requests": DESKS}, "no_card", "can be cut"),
        (facts([card("P40")]), {"requests": [{"profile": "GRID P40-8X"}]}, "mdev_unplaced", "nearest are GRID P40-8"),
        (facts([card("P40")]), {"requests": [{"profile": "GRID P40-8Q", "count": 5}]}, "mdev_unplaced", "3 fit"),
        (facts(gpus=[pci(GEFORCE)], manager=None), {"driver": RUN}, "consumer_card", "takes no consumer cards"),
        (facts(gpus=[pci(group=None)], manager=None), {"driver": RUN}, "no_iommu", "VT-d"),
        (facts(manager=None), {"requests": DESKS}, "manager_missing", "No vGPU manager"),
        (facts([card("P40")]), {"requests": DESKS, "devices": [{"uuid": "x"}]}, "two_declarations", "either places"),
        (facts(loaded="550.1"), {"requests": DESKS}, "manager_not_loaded", "550.1 is loaded"),
        (facts([card("P40")]), {"scheduler": "best"}, "scheduler_word", "equal_share"),
        (facts([card("P40")]), {"scheduler": "fixed_share", "mode": "mixed"}, "scheduler_mixed", "several sizes"),
        (facts([card("P40")]), {"requests": DESKS, "sriov_enabled": "perhaps"}, "sriov_word", "auto, true or false"),
        (facts([card("P40")]), {"requests": DESKS, "signing_key": "/k"}, "signing_pair", "belong together"),
        (facts(place="vgpu_guest"), {"requests": DESKS}, "not_a_host", "vgpu_guest"),
        (facts(manager=None), {"method": "runfile"}, "manager_missing", "sha256"),
        (facts(manager=None), {"driver": {**RUN, "sha256": "12"}}, "manager_checksum", "64 digits"),
        (facts(manager=None), {"driver": {**RUN, "url": "https://a/b.run"}}, "manager_source", "one of them"),
        (facts(manager=None), {"driver": {**RUN, "src": "NVIDIA-GRID-Linux-KVM-1.zip"}}, "manager_kind", "bundle"),
        (
            facts(manager=None),
            {"driver": {**RUN, "src": "NVIDIA-Linux-x86_64-535.261.03-grid.run"}},
            "manager_of_guest",
            "for guests",
        ),
        (facts(manager=None), {"driver": RUN, "method": "package"}, "manager_kind", "package file"),
        (
            facts(manager=None),
            {"driver": {**RUN, "src": "nvidia-vgpu-580_580.95.02.rpm"}},
            "manager_method_unsupported",
            "package manager is apt",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(told, wants, code, words):
    plan = vgpu_host_plan(told, wants)
    assert code in codes(plan)
    assert words in text(plan)
    assert vgpu_host_verification(told, plan) != []


def test_a_consumer_card_beside_a_real_one_is_left_out():
    gpus = [pci(), pci(GEFORCE, "0000:06:00.0")]
    plan = vgpu_host_plan(facts([card("P40")], gpus), {"requests": DESKS})
    assert codes(plan) == [] and "consumer_card_left_out" in codes(plan, "note")


def test_the_iommu_is_switched_on_where_it_is_allowed_and_asks_for_a_reboot():
    told = facts(gpus=[pci(group=None)], manager=None)
    plan = vgpu_host_plan(told, {"driver": RUN, "iommu_enabled": True})
    assert plan["iommu"] and "no_iommu" not in codes(plan) and not plan["ready"]
    assert "command line" in vgpu_host_reboot(told, plan)["reasons"][0]
    assert vgpu_host_plan(facts(manager=None), {"driver": RUN, "iommu_enabled": True})["iommu"] is False


def test_a_host_whose_devices_run_is_only_warned_of_a_missing_iommu():
    told = facts([card("P40", devices=["8Q"])], [pci(group=None)])
    told["mdev"]["iommu"]["enabled"] = False
    plan = vgpu_host_plan(told, {"requests": [{"name": "d", "profile": "GRID P40-8Q", "count": 1}]})
    assert codes(plan) == [] and codes(plan, "warning") == ["no_iommu"]


@pytest.mark.parametrize(
    ("mok", "manager", "wants", "refused"),
    [
        ({"enforced": True, "modules": [], "enrolled": [], "certificates": []}, None, {"driver": RUN}, True),
        ({"enforced": False}, None, {"driver": RUN}, False),
        (
            {"enforced": True, "enrolled": [{"sha1": "a"}], "certificates": [{"sha1": "a", "path": "/k"}]},
            None, {"driver": RUN}, False,
        ),
        (
            {"enforced": True, "modules": [{"kernel": KERNEL, "name": "nvidia", "trusted": False}]},
            "535.309.01", {"requests": DESKS}, True,
        ),
        (
            {"enforced": True, "modules": [{"kernel": KERNEL, "name": "nvidia", "trusted": True}]},
            "535.309.01", {"requests": DESKS}, False,
        ),
    ],
)  # fmt: skip
def test_secure_boot_refuses_a_manager_that_nobody_signs(mok, manager, wants, refused):
    told = facts([card("P40")] if manager else [], manager=manager, mok=mok)
    plan = vgpu_host_plan(told, wants)
    assert ("manager_unsigned" in codes(plan)) is refused


def test_a_manager_that_is_not_there_comes_first_and_devices_later():
    plan = vgpu_host_plan(facts(manager=None), {"driver": RUN, "requests": DESKS})
    assert codes(plan) == [] and codes(plan, "note") == ["placement_later"]
    assert plan["runfile"]["version"] == "535.309.01" and plan["runfile"]["dkms"] and plan["runfile"]["load_modules"]
    assert "dkms" in plan["build_packages"] and plan["header_packages"] and not plan["devices"]


@pytest.mark.parametrize(
    ("state", "wants", "installs"),
    [("installed", {}, False), ("differs", {}, True), (None, {}, True), (None, {"dkms_enabled": False}, False)],
)
def test_a_manager_that_dkms_has_lost_is_gone_through_again(state, wants, installs):
    told = facts([card("P40")])
    row = {"module": "nvidia", "version": "535.309.01", "kernel": KERNEL, "machine": "x86_64", "state": state}
    told["driver"]["dkms"] = [row] if state else []
    plan = vgpu_host_plan(told, {"driver": RUN, "requests": DESKS, **wants})
    assert plan["installs"] is installs and (plan["runfile"] is not None) is installs


def test_an_old_installer_waits_until_nouveau_has_gone():
    told = facts(manager=None, nouveau={"loaded": ["nouveau"], "bound": ["0000:05:00.0"]})
    plan = vgpu_host_plan(told, {"driver": RUN})
    assert plan["nouveau_first"] and plan["runfile"] is None and plan["installs"] and plan["build_packages"]
    reboot = vgpu_host_reboot(told, plan)
    assert reboot["required"] and not reboot["blocked"] and "nouveau" in reboot["reasons"][0]
    new = vgpu_host_plan(told, {"driver": {**RUN, "src": "NVIDIA-Linux-x86_64-580.95.02-vgpu-kvm.run"}})
    assert not new["nouveau_first"] and new["runfile"]["allow_running_driver"] and not new["runfile"]["load_modules"]


def test_an_old_installer_is_asked_for_nothing_that_it_does_not_know():
    older = {**RUN, "src": "NVIDIA-Linux-x86_64-535.400.01-vgpu-kvm.run"}
    plan = vgpu_host_plan(facts([card("P40")]), {"driver": older})
    assert plan["runfile"]["load_modules"] and not plan["runfile"]["allow_running_driver"]


def test_a_manager_that_is_there_is_left_alone():
    plan = vgpu_host_plan(facts([card("P40")]), {"driver": RUN, "requests": DESKS})
    assert plan["runfile"] is None and not plan["build_packages"] and plan["ready"]


def test_a_package_takes_the_place_of_an_older_one():
    file = {"path": "/srv/nvidia-vgpu-ubuntu-580_580.95.02_amd64.deb", "sha256": "0" * 64}
    plan = vgpu_host_plan(facts(manager=None), {"driver": file})
    assert (
        plan["method"] == "deb" and plan["package"]["remote_src"] and plan["package"]["replaces"] == ["nvidia-vgpu-*"]
    )


def test_a_new_manager_is_refused_under_running_machines():
    row, there = card("P40", devices=["8Q"])
    there[0]["open_by"] = [{"pid": 1, "program": "qemu", "vm": "win11"}]
    newer = {**RUN, "src": "NVIDIA-Linux-x86_64-535.400.00-vgpu-kvm.run"}
    told = facts([(row, there)])
    plan = vgpu_host_plan(told, {"driver": newer})
    assert codes(plan) == ["manager_in_use"] and "win11" in text(plan)
    assert "win11" in vgpu_host_reboot(told, {**plan, "iommu": True})["blocked"][0]


def test_another_driver_is_not_replaced():
    told = facts(manager=None)
    told["driver"]["install"]["runfile"] = {"uninstaller": "/usr/bin/nvidia-uninstall", "version": "550.1"}
    assert codes(vgpu_host_plan(told, {"driver": RUN})) == ["other_driver"]


def test_functions_are_enabled_where_devices_need_them():
    told = facts([card("L40S", functions_on=False)], [pci("26b9")])
    asked = [{"name": "c", "profile": "NVIDIA L40S-8C", "count": 2}]
    plan = vgpu_host_plan(told, {"requests": asked}, "h1", PROGRAM)
    assert plan["cards"] == [{"address": "0000:05:00.0", "functions": 2}] and plan["pending"] and plan["devices"] == []
    on = vgpu_host_plan(facts([card("L40S")], [pci("26b9")]), {"requests": asked}, "h1", PROGRAM)
    assert on["cards"] == plan["cards"] and not on["pending"] and len(on["devices"]) == 2
    assert state(on)["cards"] == plan["cards"]
    never = vgpu_host_plan(told, {"requests": asked, "sriov_enabled": False}, "h1")
    assert codes(never) == ["sriov_forbidden"]
    every = vgpu_host_plan(told, {"sriov_enabled": True}, "h1")
    assert every["cards"] == [{"address": "0000:05:00.0", "functions": 32}] and every["pending"]


def test_mixed_sizes_and_mig_are_part_of_what_is_restored():
    asked = [
        {"name": "big", "profile": "NVIDIA L40S-16C", "count": 1},
        {"name": "small", "profile": "NVIDIA L40S-8C", "count": 1},
    ]
    mixed = vgpu_host_plan(facts([card("L40S", sizes=True)], [pci("26b9")]), {"requests": asked}, "h1", PROGRAM)
    assert codes(mixed) == [] and mixed["pending"]
    assert state(mixed)["cards"] == [{"address": "0000:05:00.0", "functions": 2, "heterogeneous": True}]
    slices = [{"name": "s", "profile": "NVIDIA A100-2-10C", "count": 2}]
    sliced = vgpu_host_plan(facts([card("A100", mig=False)], [pci("20b0")]), {"requests": slices}, "h1", PROGRAM)
    (row,) = state(sliced)["cards"]
    assert row["mig"] and row["instances"] == {"2g.10gb": 2} and sliced["pending"]


def test_on_proxmox_no_device_is_made_and_none_restored():
    told = facts([card("P40")])
    told["mdev"]["proxmox"] = True
    plan = vgpu_host_plan(told, {"requests": DESKS}, "pve1", PROGRAM)
    assert plan["platform"] == "proxmox" and codes(plan) == [] and plan["devices"] == [] and not plan["restore"]
    assert codes(vgpu_host_plan(told, {"devices": [{"uuid": "a", "parent": "0000:05:00.0", "type": "46"}]})) == [
        "proxmox_devices"
    ]
    cut = facts([card("L40S", functions_on=False)], [pci("26b9")])
    cut["mdev"]["proxmox"] = True
    functions = vgpu_host_plan(cut, {"sriov_enabled": "auto", "scheduler": "equal_share"}, "pve1", PROGRAM)
    assert functions["cards"] == [{"address": "0000:05:00.0", "functions": 32}] and functions["restore"]


def test_a_mapping_names_cards_or_their_functions_and_is_proxmox_s():
    whole = facts([card("P40")])
    whole["mdev"]["proxmox"] = True
    assert vgpu_host_plan(whole, {"mapping": "vgpu"}, "pve1")["mapping"] == ["0000:05:00.0"]
    assert vgpu_host_plan(whole, {"requests": DESKS}, "pve1")["mapping"] == []
    cut = facts([card("L40S")], [pci("26b9")])
    cut["mdev"]["proxmox"] = True
    assert len(vgpu_host_plan(cut, {"mapping": "vgpu"}, "pve1")["mapping"]) == 32
    assert codes(vgpu_host_plan(facts([card("P40")]), {"mapping": "vgpu"})) == ["mapping_elsewhere"]


def test_devices_that_were_placed_by_hand_are_resolved_for_the_state():
    rows = [{"uuid": "83c32df7-d52e-4ec1-9668-000000000001", "parent": "0000:05:00.0", "type": "GRID P40-8Q"}]
    plan = vgpu_host_plan(facts([card("P40")]), {"devices": rows}, "h1", PROGRAM)
    (device,) = state(plan)["devices"]
    assert device["name"] == "GRID P40-8Q" and device["type"].startswith("nvidia-") and plan["devices"] == rows


def test_a_defined_device_is_no_business_of_the_unit():
    plan = vgpu_host_plan(facts([card("P40")]), {"requests": DESKS, "device_state": "defined"}, "h1", PROGRAM)
    assert state(plan)["devices"] == []


def test_a_scheduler_is_an_option_of_the_module_and_waits_for_a_reboot():
    told = facts([card("P40")])
    plan = vgpu_host_plan(told, {"scheduler": "fixed_share"})
    (file,) = plan["module_files"]
    assert 'NVreg_RegistryDwords="RmPVMRL=0x11"' in file["content"]
    assert vgpu_host_reboot(told, plan, [file["path"]])["required"]
    assert not vgpu_host_reboot(told, plan, [])["required"]


def test_absent_removes_what_is_declared_and_nothing_else():
    row, there = card("P40", devices=["8Q", "8Q"])
    told = facts([(row, there)])
    one = [{"name": "d", "profile": "GRID P40-8Q", "count": 1}]
    plan = vgpu_host_plan(told, {"state": "absent", "requests": one})
    assert len(plan["devices"]) == 1 and not plan["remove_runfile"] and codes(plan) == []
    assert {file["state"] for file in [*plan["restore_files"], *plan["module_files"]]} == {"absent"}
    assert vgpu_host_verification(told, plan) != []
    assert vgpu_host_plan(told, {"state": "absent", "driver": RUN})["remove_runfile"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: told["driver"]["loaded"].update(version="1.2"), "reboot the host"),
        (lambda told: told["mdev"]["services"]["nvidia-vgpu-mgr.service"].update(active=False), "does not run"),
    ],
)
def test_deviations_are_sentences(change, words):
    told = facts([card("P40")])
    wants = {"driver": RUN}
    plan = vgpu_host_plan(told, wants)
    assert vgpu_host_verification(told, plan) == []
    change(told)
    assert words in " ".join(vgpu_host_verification(told, plan))


def test_a_missing_device_is_told():
    told = facts([card("P40")])
    plan = vgpu_host_plan(told, {"requests": DESKS}, "h1")
    assert [line for line in vgpu_host_verification(told, plan) if "is not there" in line] != []


def test_the_same_facts_give_the_same_plan():
    told = facts([card("P40"), card("L40S", "0000:06:00.0")], [pci(), pci("26b9", "0000:06:00.0")])
    wants = {"requests": [*DESKS, {"name": "c", "profile": "NVIDIA L40S-8C", "count": 3}]}
    assert vgpu_host_plan(told, wants, "h1", PROGRAM) == vgpu_host_plan(told, wants, "h1", PROGRAM)
    assert set(DEFAULTS) >= set(wants)


def test_the_manager_is_seen_by_its_programs_where_no_unit_came_with_it():
    host = MdevHost()
    assert _mdev_facts.observe(host, _pci.observe(host), [])["manager"] is False
    host.files["/usr/bin/nvidia-vgpu-mgr"] = ""
    mdev = _mdev_facts.observe(host, _pci.observe(host), [])
    assert mdev["manager"] is True
    told = facts([card("P40")])
    told["mdev"].update(services={}, manager=True)
    plan = vgpu_host_plan(told, {"driver": RUN})
    assert codes(plan) == [] and plan["runfile"] is None and plan["installed"] == "535.309.01"
