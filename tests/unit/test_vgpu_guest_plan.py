"""The plan of a vGPU guest, as a table of what is found and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.gpufleet.nvidia.plugins.module_utils._grid import keeps_out
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_service import OURS
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import vgpu_files as files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_guest_plan import DEFAULTS, vgpu_guest_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_guest_reboot import vgpu_guest_reboot
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_profile import feature_number
from tests.unit.vgpu_hosts import DEB, RUNFILE, SHA, TOKEN, codes, fresh, gpu, host, profile

RPM = {"url": "https://files.example.com/nvidia-linux-grid-570-570.133.20-1.x86_64.rpm?key=1", "sha256": SHA}
DEBIAN_DRIVER = {"packages": [{"name": "nvidia-driver", "state": "installed", "version": "535.1"}], "runfile": None}


def test_a_licensed_guest_needs_nothing():
    plan = vgpu_guest_plan(host(), {"driver": DEB, "token": TOKEN})
    assert plan["findings"] == []
    assert (plan["package"], plan["runfile"], plan["header_packages"], plan["unit_files"]) == (None, None, [], [])
    assert not any(plan[name] for name in ("restart", "time_sync", "enable", "start"))
    assert plan["installed"] == plan["version"] == "535.261.03"


def test_a_fresh_machine_gets_headers_package_and_clock():
    plan = vgpu_guest_plan(fresh(), {"driver": DEB, "token": TOKEN})
    assert codes(plan, "error") == []
    assert plan["header_packages"] == ["linux-headers-6.1.0-56-amd64"]
    assert plan["package"] == {
        "src": DEB["src"], "remote_src": False, "sha256": SHA, "version": "535.261.03",
        "hold": True, "replaces": ["nvidia-linux-grid-*"],
    }  # fmt: skip
    assert plan["time_sync"] and plan["build_packages"] == []


def test_a_runfile_needs_a_compiler_and_gets_a_unit():
    plan = vgpu_guest_plan(fresh(), {"driver": RUNFILE, "token": TOKEN})
    assert plan["method"] == "runfile" and plan["runfile"]["remote_src"]
    assert {"gcc", "make", "dkms"} <= set(plan["build_packages"])
    assert [row["path"] for row in plan["unit_files"]] == [files.UNIT]
    assert plan["runfile"]["load_modules"] and not plan["runfile"]["allow_running_driver"]


NEWER = {"path": "/mnt/Shared/nv/NVIDIA-Linux-x86_64-580.95.05-grid.run", "sha256": SHA}


def test_a_unit_that_the_role_wrote_stays_its_own_and_another_one_is_left():
    service = {"present": True, "enabled": True, "active": True}
    for ours, paths in ((True, [files.UNIT]), (False, [])):
        facts = host(gridd={"service": {**service, "ours": ours}})
        assert [row["path"] for row in vgpu_guest_plan(facts, {})["unit_files"]] == paths
    assert OURS in files.unit_text()


def test_modules_that_are_loaded_are_left_to_the_reboot():
    old = {"version": "535.216.01", "uninstaller": "/usr/bin/nvidia-uninstall"}
    disk = {"6.1.0-56-amd64": old}
    there = {"loaded": old, "library": old, "on_disk": disk, "install": {"packages": [], "runfile": old}}
    facts = host(grid={"package": None}, driver=there)
    plan = vgpu_guest_plan(facts, {"driver": NEWER})
    assert plan["runfile"]["allow_running_driver"] and not plan["runfile"]["load_modules"]
    older = vgpu_guest_plan(facts, {"driver": RUNFILE})["runfile"]
    assert older["load_modules"] and not older["allow_running_driver"], "its installer knows neither option"


def test_an_old_installer_waits_until_nouveau_has_gone():
    facts = fresh(nouveau={"loaded": True})
    plan = vgpu_guest_plan(facts, {"driver": RUNFILE, "token": TOKEN})
    assert (
        plan["nouveau_first"]
        and plan["runfile"] is None
        and plan["header_packages"]
        and "gcc" in plan["build_packages"]
    )
    reboot = vgpu_guest_reboot(facts, plan)
    assert reboot["required"] and not reboot["blocked"] and "nouveau" in reboot["reasons"][0]
    newer = vgpu_guest_plan(facts, {"driver": NEWER, "token": TOKEN})
    assert not newer["nouveau_first"] and newer["runfile"]["allow_running_driver"]


def test_a_package_that_lost_its_hold_is_held_again():
    grid = {"package": {"name": "nvidia-linux-grid-535", "version": "535.261.03", "held": False}}
    assert vgpu_guest_plan(host(grid=grid), {"driver": DEB})["package"]["hold"]
    assert vgpu_guest_plan(host(grid=grid), {"driver": DEB, "protect_enabled": False})["package"] is None


@pytest.mark.parametrize(
    ("facts", "wants", "code"),
    [
        (host(pci=[]), {}, "no_gpu"),
        (fresh(place="bare_metal"), {"driver": DEB, "token": TOKEN}, "not_a_guest"),
        (fresh(place="container"), {"driver": DEB, "token": TOKEN}, "not_a_guest"),
        (fresh(place="vgpu_host"), {"driver": DEB, "token": TOKEN}, "not_a_guest"),
        (fresh(), {"token": TOKEN}, "driver_missing"),
        (fresh(), {"driver": DEB}, "token_not_given"),
        (host(gridd={"tokens": [], "state": "unlicensed"}), {}, "token_not_given"),
        (host(), {"token": {"src": "a", "url": "https://b"}}, "token_source"),
        (host(), {"token": {"src": "a"}, "has_token_content": True}, "token_source"),
        (host(), {"token": {"ca_path": "/a"}}, "token_source"),
        (host(), {"driver": {"src": "a.deb", "path": "/b.deb", "sha256": SHA}}, "driver_source"),
        (host(), {"driver": {"sha256": SHA}}, "driver_source"),
        (host(), {"driver": {**DEB, "sha256": "abc"}}, "driver_checksum"),
        (host(), {"driver": {"src": "NVIDIA-GRID-Linux-KVM-535.261.04-535.261.03.zip", "sha256": SHA}}, "driver_kind"),
        (host(), {"driver": {**RUNFILE}, "method": "deb"}, "driver_kind"),
        (host(), {"driver": {"src": "guest.deb", "sha256": SHA}}, "driver_version_unknown"),
        (host(), {"driver": RPM}, "driver_method_unsupported"),
        (host(), {"driver": {"src": "NVIDIA-Linux-x86_64-535.1.1-vgpu-kvm.run", "sha256": SHA}}, "driver_of_host"),
        (host(), {"driver": {"src": "nvidia-vgpu-ubuntu-580_580.65.05_amd64.deb", "sha256": SHA}}, "driver_of_host"),
        (fresh(driver={"install": DEBIAN_DRIVER}), {"driver": DEB, "token": TOKEN}, "other_driver"),
        (
            fresh(driver={"install": {"packages": [], "runfile": {"uninstaller": "/usr/bin/nvidia-uninstall"}}}),
            {"driver": DEB, "token": TOKEN},
            "other_driver",
        ),
        (host(), {"driver": RUNFILE}, "driver_method_changed"),
        (host(grid={"package": None}), {"driver": DEB}, "driver_method_changed"),
        (host(), {"host_release": "15.4"}, "host_guest_mismatch"),
        (host(gridd={"gpus": [profile("P40-8A", "A", 8)]}), {"purpose": "compute"}, "profile_without_cuda"),
        (host(gridd={"gpus": [profile("P40-8B", "B", 8)]}), {"purpose": "compute"}, "profile_without_cuda"),
        (host(gridd={"gpus": [profile("M60-4Q", "Q", 4)]}), {"purpose": "compute"}, "profile_without_cuda"),
        (host(), {"feature_type": "vcs"}, "feature_misfit"),
        (host(), {"feature_type": "unlicensed"}, "feature_misfit"),
        (host(), {"feature_type": "quadro"}, "feature_unknown"),
        (host(), {"feature_type": "3"}, "feature_unknown"),
        (host(gridd={"gpus": [gpu(virtualization_mode="passthrough", profile=None)]}), {}, "feature_misfit"),
    ],
)
def test_what_cannot_work_is_refused(facts, wants, code):
    plan = vgpu_guest_plan(facts, wants)
    assert code in codes(plan, "error")
    text = next(row["text"] for row in plan["findings"] if row["code"] == code)
    assert text.endswith(".") and len(text) > 60


@pytest.mark.parametrize(
    ("facts", "wants"),
    [
        (host(gridd={"gpus": [profile("P40-8C", "C", 8)]}), {"purpose": "compute"}),
        (host(gridd={"gpus": [profile("M60-8Q", "Q", 8)]}), {"purpose": "compute"}),
        (host(gridd={"gpus": [profile("P40-8A", "A", 8)]}), {"purpose": "any"}),
        (host(gridd={"gpus": [profile("P40-1B", "B", 1)]}), {"purpose": "graphics"}),
        (host(), {"feature_type": "vws"}),
        (host(gridd={"gpus": [gpu(virtualization_mode="passthrough", profile=None)]}), {"feature_type": 2}),
        (
            host(gridd={"gpus": [gpu(virtualization_mode="passthrough", profile=None, license=None)], "state": "x"}),
            {"token": TOKEN},
        ),
        (host(), {"conf_removed": ["FeatureType"]}),
        (host(), {"conf_values": {"FeatureType": "1"}}),
        (host(place="bare_metal"), {}),
        (fresh(), {"driver": DEB, "has_token_content": True}),
    ],
)
def test_what_can_work_is_not_refused(facts, wants):
    assert codes(vgpu_guest_plan(facts, wants), "error") == []


@pytest.mark.parametrize(
    ("facts", "wants", "code"),
    [
        (host(gridd={"clock": {"source": "chrony", "synchronized": False}}), {}, "clock_not_synchronized"),
        (host(gridd={"conf": {"legacy": ["ServerAddress"], "values": {}}}), {}, "conf_legacy"),
        (host(gridd={"conf": {"path": "/x", "errors": [{"line": 3, "text": "Odd."}]}}), {}, "conf_error"),
        (host(gridd={"gpus": [profile("A100-8C", "C", 8)]}), {"purpose": "graphics"}, "profile_without_display"),
    ],
)
def test_what_may_go_wrong_is_told(facts, wants, code):
    assert code in codes(vgpu_guest_plan(facts, wants), "warning")


def test_secure_boot_is_told_where_modules_are_built():
    facts = fresh()
    facts["system"]["secure_boot"] = "enabled"
    plan = vgpu_guest_plan(facts, {"driver": DEB, "token": TOKEN})
    assert "secure_boot" in codes(plan, "warning") and codes(plan, "error") == []


@pytest.mark.parametrize(
    ("driver", "required", "load_now"),
    [
        ({}, False, False),
        ({"loaded": None}, False, True),
        ({"loaded": None, "on_disk": {}}, False, False),
        ({"loaded": {"version": "535.216.01"}}, True, False),
    ],
)
def test_a_reboot_is_for_a_module_that_is_not_the_installed_one(driver, required, load_now):
    facts = host(driver=driver)
    told = vgpu_guest_reboot(facts, vgpu_guest_plan(facts, {}))
    assert (told["required"], told["load_now"], bool(told["reasons"])) == (required, load_now, required)


def test_a_reboot_into_a_kernel_without_module_is_refused():
    facts = host(driver={"loaded": {"version": "535.216.01"}}, kernel={"next": "6.1.0-99-amd64"})
    told = vgpu_guest_reboot(facts, vgpu_guest_plan(facts, {}))
    assert told["required"] and "6.1.0-99-amd64 boots next" in told["blocked"][0]
    assert vgpu_guest_reboot(facts, {**vgpu_guest_plan(facts, {}), "state": "absent"})["blocked"] == []


def test_legacy_keys_that_are_taken_out_are_no_trouble():
    facts = host(gridd={"conf": {"legacy": ["ServerAddress"], "values": {}}})
    assert codes(vgpu_guest_plan(facts, {"conf_removed": ["ServerAddress"]})) == []


def test_a_restart_that_is_owed_is_made_up():
    assert vgpu_guest_plan(host(gridd={"restart_pending": True}), {})["restart"]


@pytest.mark.parametrize(
    ("value", "number"), [(None, None), ("vws", 2), ("2", 2), (4, 4), ("unlicensed", 0), (0, 0), ("x", None), (3, None)]
)
def test_a_feature_goes_by_name_or_number(value, number):
    assert feature_number(value) == number


def test_absent_returns_the_licence_and_leaves_a_driver_that_nobody_named():
    plan = vgpu_guest_plan(host(), {"state": "absent"})
    assert (plan["remove_packages"], plan["remove_runfile"], plan["conf_files"]) == ([], False, [])
    assert [row["state"] for row in plan["package_files"] + plan["module_files"]] == ["absent", "absent"]


def test_absent_removes_the_driver_that_is_named():
    plan = vgpu_guest_plan(host(), {"state": "absent", "driver": DEB})
    assert plan["remove_packages"] == ["nvidia-linux-grid-535"] and not plan["remove_runfile"]
    plan = vgpu_guest_plan(host(grid={"package": None}), {"state": "absent", "driver": RUNFILE})
    assert plan["remove_runfile"] and [row["path"] for row in plan["conf_files"]] == ["/etc/nvidia/gridd.conf"]
    assert [row["path"] for row in plan["unit_files"]] == [files.UNIT]


def test_the_preferences_are_what_the_facts_call_a_protection():
    assert keeps_out(files.preferences_text())


def test_the_container_toolkit_is_spared():
    first, second = files.preferences_text().split("\n\n")
    assert "libnvidia-container*" in first and "Pin-Priority: 500" in first
    assert "Pin-Priority: -1" in second


@pytest.mark.parametrize("facts", [{}, {"gridd": None}, {"grid": None, "gridd": {}}])
def test_facts_that_lack_everything_are_no_crash(facts):
    assert "no_gpu" in codes(vgpu_guest_plan(facts, dict(DEFAULTS)), "error")


def test_the_plan_assumes_what_the_role_says():
    text = (Path(__file__).parents[2] / "roles" / "vgpu_guest" / "defaults" / "main.yml").read_text(encoding="utf-8")
    declared = yaml.safe_load(text)
    for name in set(DEFAULTS) - {"has_token_content"}:
        assert declared[f"vgpu_guest_{name}"] == DEFAULTS[name], name


def with_dkms(state, version="535.261.03", path=None):
    facts = host()
    kernel, row = next(iter(facts["driver"]["on_disk"].items()))
    on_disk = {kernel: row and {**row, "path": path or f"/lib/modules/{kernel}/updates/dkms/nvidia.ko"}}
    rows = [{"module": "nvidia", "version": version, "kernel": kernel, "machine": "x86_64", "state": state}]
    facts["driver"] = {**facts["driver"], "on_disk": on_disk, "dkms": rows if state else []}
    return facts


@pytest.mark.parametrize(
    ("state", "version", "wants", "is_asked"),
    [
        ("installed", "535.261.03", {}, False),
        ("differs", "535.261.03", {}, True),
        ("built", "535.261.03", {}, True),
        (None, None, {}, True),
        ("installed", "535.1", {}, True),
        (None, None, {"dkms_enabled": False}, False),
    ],
)
def test_a_runfile_that_dkms_has_lost_is_gone_through_again(state, version, wants, is_asked):
    facts = with_dkms(state, version)
    plan = vgpu_guest_plan(facts, {"driver": RUNFILE, "token": TOKEN, **wants})
    assert (plan["runfile"] is not None) is is_asked
    assert bool(plan["header_packages"]) is is_asked


@pytest.mark.parametrize(
    ("state", "path", "is_asked"),
    [
        ("installed", None, False),
        ("differs", None, True),
        (None, None, True),
        (None, "/lib/modules/6.1.0-56-amd64/kernel/nvidia-535/nvidia.ko", False),  # precompiled: DKMS has no part in it
    ],
)
def test_a_package_that_dkms_has_lost_is_gone_through_again(state, path, is_asked):
    plan = vgpu_guest_plan(with_dkms(state, path=path), {"driver": DEB, "token": TOKEN})
    assert (plan["package"] is not None) is is_asked


def test_a_package_whose_modules_are_gone_is_gone_through_again():
    facts = with_dkms("installed")
    facts["driver"]["on_disk"] = dict.fromkeys(facts["driver"]["on_disk"])
    assert vgpu_guest_plan(facts, {"driver": DEB, "token": TOKEN})["package"] is not None
