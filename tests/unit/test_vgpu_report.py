"""The fleet's licences, and whether a guest is what was declared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_guest_plan import vgpu_guest_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_guest_verification import vgpu_guest_verification
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_report import license_report, table
from tests.unit.vgpu_hosts import DEB, gpu, host

CAUSE = {"code": "clock_skew", "hint": "Set the clock.", "line": "The allowed time has expired"}
UNLICENSED = {
    "gpus": [gpu(license={"state": "unlicensed", "product": "NVIDIA RTX Virtual Workstation", "expires": None})],
    "state": "unlicensed",
    "cause": CAUSE,
}


def test_a_report_has_every_host_and_fails_for_those_without_licence():
    good, bad = host()["gridd"], {**host()["gridd"], **UNLICENSED}
    hosts = {"b": {"gridd": bad, "error": None}, "a": {"gridd": good, "error": None}, "c": {"error": "unreachable"}}
    report = license_report(hosts)
    assert [row["host"] for row in report["hosts"]] == ["a", "b", "c"]
    assert (report["ok"], report["failed"]) == (False, ["b", "c"])
    assert [row["cause"] for row in report["hosts"]] == [None, "clock_skew", None]
    assert report["hosts"][2]["state"] == "unreadable" and report["hosts"][2]["hint"] == "unreachable"
    assert report["table"][3].strip() == "Set the clock."
    assert license_report(hosts, needed=False)["ok"]


def test_a_gpu_that_needs_no_licence_is_no_failure():
    gridd = {"gpus": [gpu(license=None, virtualization_mode="passthrough")], "state": "not_applicable"}
    assert license_report({"a": {"gridd": gridd}})["ok"]
    assert license_report({"a": {"gridd": {"gpus": [], "state": "not_applicable"}}})["ok"]
    assert not license_report({"a": {"gridd": {"gpus": [], "state": "unknown"}}})["ok"]


def test_a_permanent_licence_never_ends():
    licence = {"state": "licensed", "permanent": True, "expires": None, "product": "P"}
    (row,) = license_report({"a": {"gridd": {"gpus": [gpu(license=licence)]}}})["hosts"]
    assert row["expires"] == "never" and row["ok"]


@given(st.lists(st.fixed_dictionaries({"host": st.text(max_size=9), "state": st.text(max_size=9)}), max_size=5))
def test_every_row_has_a_line(rows):
    assert len(table(rows)) == len(rows) + 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gridd": UNLICENSED}, "clock_skew: Set the clock. The daemon says: The allowed time has expired"),
        ({"gridd": {"service": {"present": True, "active": False, "enabled": True}}}, "does not run"),
        ({"gridd": {"service": {"present": True, "active": True, "enabled": False}}}, "not started at boot"),
        ({"gridd": {"service": {}}}, "has no unit"),
        ({"gridd": {"tokens": [{"path": "/a"}, {"path": "/b"}]}}, "2 tokens where one belongs: /a and /b"),
        ({"gridd": {"tokens": [{"path": "/a", "valid": True, "expired": True}]}}, "/a has expired"),
        ({"grid": {"protected_by": []}}, "Nothing keeps another driver's packages"),
        ({"grid": {"installed": False}}, "No guest driver is installed"),
        ({"driver": {"loaded": None}}, "module is not loaded"),
        ({"driver": {"loaded": {"version": "535.1.1"}}}, "reboot the host"),
    ],
)
def test_each_deviation_is_a_sentence(changes, says):
    plan = vgpu_guest_plan(host(), {})
    told = vgpu_guest_verification(host(**changes), plan)
    assert any(says in text for text in told), told


def test_a_licensed_guest_has_no_deviations():
    assert vgpu_guest_verification(host(), vgpu_guest_plan(host(), {"driver": DEB})) == []


def test_a_declaration_that_cannot_be_met_is_no_proof():
    plan = vgpu_guest_plan(host(), {"host_release": "15.4"})
    assert vgpu_guest_verification(host(), plan)[0].startswith("The declaration cannot be met")


def test_what_absent_leaves_is_told():
    plan = vgpu_guest_plan(host(), {"state": "absent", "driver": DEB})
    assert len(vgpu_guest_verification(host(), plan)) == 3
    gone = host(grid={"installed": False}, gridd={"service": {}, "tokens": []})
    assert vgpu_guest_verification(gone, plan) == []
