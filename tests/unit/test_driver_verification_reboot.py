"""Reboots: when, why, and never into a host without a driver."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_reboot import driver_reboot
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_verification import deviations
from tests.unit.golden.converged import LOADED_OLD, LOADED_OPEN, NEW, OLD, VERSION, converged
from tests.unit.golden.hosts import card, host, kernel, module

TWO = {"kernel": kernel(OLD, NEW, following=NEW)}
BUILT = {OLD: module(VERSION, "proprietary"), NEW: module(VERSION, "proprietary")}


@pytest.mark.parametrize(
    ("changes", "wants", "required", "blocked", "load_now", "words"),
    [
        ({}, {}, False, False, False, []),
        ({"driver.loaded": None}, {}, False, False, True, []),
        ({"driver.loaded": None, "driver.on_disk": {OLD: None}}, {}, False, False, False, []),
        ({"driver.loaded": LOADED_OLD}, {}, True, False, False, ["535.183.01", VERSION]),
        ({"driver.loaded": LOADED_OPEN}, {}, True, False, False, ["the open one"]),
        (
            {"driver.loaded": None, "nouveau": {"loaded": ["nouveau"], "bound": ["0000:01:00.0"], "blacklisted": True}},
            {},
            True,
            False,
            False,
            ["0000:01:00.0"],
        ),
        (
            {"driver.loaded": None, "nouveau": {"loaded": ["nouveau"], "bound": [], "blacklisted": True}},
            {},
            True,
            False,
            False,
            ["nouveau is loaded"],
        ),
        (
            {
                "driver.loaded": None,
                "driver.on_disk": {OLD: None},
                "nouveau": {"loaded": ["nouveau"], "bound": [], "blacklisted": False},
            },
            {},
            False,
            False,
            False,
            [],
        ),
        ({**TWO, "driver.loaded": LOADED_OLD}, {}, True, True, False, [NEW, "no driver would work"]),
        ({**TWO, "driver.loaded": LOADED_OLD, "driver.on_disk": BUILT}, {}, True, False, False, []),
        (
            {**TWO, "driver.loaded": None, "driver.on_disk": BUILT},
            {"kernels": ["next"]},
            True,
            False,
            False,
            [NEW, "boots next"],
        ),
        ({**TWO}, {}, False, False, False, []),
        ({"driver.loaded": None, "system.secure_boot": "enabled"}, {}, False, False, False, []),
        ({"driver.loaded": None, "pci": []}, {"gpu_required": False}, False, False, False, []),
        ({"kernel": kernel(OLD, running="6.8.12-host"), "driver.loaded": LOADED_OLD}, {}, False, False, False, []),
        ({"driver.on_disk": {OLD: None}}, {"state": "absent"}, True, False, False, ["has been removed"]),
        ({"driver.loaded": None, "driver.on_disk": {OLD: None}}, {"state": "absent"}, False, False, False, []),
    ],
)
def test_a_reboot_has_reasons_and_never_ends_without_a_driver(changes, wants, required, blocked, load_now, words):
    facts = converged(**changes)
    verdict = driver_reboot(facts, driver_plan(facts, wants))
    assert (verdict["required"], bool(verdict["blocked"]), verdict["load_now"]) == (required, blocked, load_now)
    said = " ".join(verdict["reasons"] + verdict["blocked"])
    assert [word for word in words if word not in said] == []


def test_a_fresh_host_needs_the_role_and_no_reboot():
    facts = host("debian-12", "p40")
    facts["nouveau"] = {"loaded": ["nouveau"], "bound": ["0000:01:00.0"], "blacklisted": False}
    assert driver_reboot(facts, driver_plan(facts, {}))["required"] is False


def test_facts_of_a_host_without_anything_are_no_exception():
    for facts in ({}, {"pci": [card("p40", 1)]}, {"driver": None, "kernel": None, "nouveau": None}):
        plan = driver_plan(facts, {})
        assert deviations(facts, plan)
        assert driver_reboot(facts, plan)["required"] is False
