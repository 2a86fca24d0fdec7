"""Before a reboot: no host goes into darkness, and none loses a request that waits for somebody."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_reboot import driver_reboot
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_verification import deviations
from tests.unit.golden.converged import LOADED_OLD, NEW, OLD, VERSION, converged
from tests.unit.golden.hosts import kernel, module
from tests.unit.mok_facts_of import OTHER, SHA1, dismissed, key, mok, pending, request, signed, untrusted

CONSOLE = {"mok_console": {"socket": "/run/console.sock"}}


def verdict(facts_of_mok, wants=None, **changes):
    """Of a host that has to reboot, since another version is loaded, unless *changes* say otherwise."""
    facts = {**converged(**{"driver.loaded": LOADED_OLD, **changes}), "mok": facts_of_mok}
    return driver_reboot(facts, driver_plan(facts, wants or {}))


LEAVING = mok(pending={"enrol": [], "delete": [key()]}, requests=[request(action="delete")])
BLOCKED = {
    "unsigned": (mok("unsigned", modules=[signed(None)]), "without a signature"),
    "unknown key": (untrusted(), "signed by key a, which is unknown"),
    "dismissed": (dismissed(), "about key_dismissed"),
    "one of two": (mok("unsigned", modules=[signed(by="mok"), signed(None, name="nvidia-uvm")]), "refuse nvidia-uvm"),
    "unreadable": (mok(modules=[signed(trusted=None)]), "cannot be read"),
    "nothing read": (mok(modules=[]), "cannot be proven"),
    "facts of old": (None, "cannot be proven"),
    "its key leaves": (LEAVING, "removal of the key CN=key a"),
}


@pytest.mark.parametrize(("facts", "words"), BLOCKED.values(), ids=BLOCKED)
def test_nobody_reboots_into_darkness(facts, words):
    (text,) = verdict(facts, **{"system.secure_boot": "enabled"})["blocked"]
    assert words in text


@pytest.mark.parametrize(
    "facts",
    [
        mok(),
        pending(),
        mok("disabled", enforced=False, modules=[]),
        mok(modules=[signed(by="builtin")]),
        mok("key_not_staged", modules=[signed()]),  # its key came after this boot
    ],
)
def test_a_trusted_or_waiting_key_lets_the_host_reboot(facts):
    found = verdict(facts)
    assert found["required"] and found["blocked"] == []


def test_it_is_the_kernel_that_boots_next_which_counts():
    both = {OLD: module(VERSION, "proprietary"), NEW: module(VERSION, "proprietary")}
    facts = mok("unsigned", modules=[signed(by="mok"), signed(None, NEW)])
    changes = {"driver.on_disk": both, "kernel": kernel(OLD, NEW, following=NEW)}
    assert NEW in verdict(facts, **changes)["blocked"][0]
    assert verdict(facts, **{**changes, "kernel": kernel(OLD, NEW)})["blocked"] == []


def test_who_ignores_secure_boot_is_not_guarded():
    assert verdict(untrusted(), {"secure_boot": "ignore"})["blocked"] == []
    assert verdict(pending(), {"secure_boot": "ignore"})["attended"] is None


def test_a_request_is_a_reason_by_itself_and_needs_somebody():
    loaded: dict[str, object] = {"driver.loaded": None, "pci": []}
    found = verdict(pending(), {"gpu_required": False}, **loaded)
    assert (found["required"], found["attended"], found["request"]) == (True, "person", "enrol")
    assert found["keys"] == [SHA1] and "CN=key a" in found["reasons"][0]
    found = verdict(pending(), {"gpu_required": False, **CONSOLE}, **loaded)
    assert (found["attended"], found["instructions"]) == ("console", [])


def test_a_removal_waits_as_well_after_every_enrolment():
    rows = {"enrol": [], "delete": [key(OTHER)]}
    facts = mok(enrolled=[key(), key(OTHER)], pending=rows, requests=[request(OTHER, "delete")])
    found = verdict(facts, CONSOLE)
    assert (found["attended"], found["request"], found["keys"], found["blocked"]) == ("console", "delete", [OTHER], [])
    found = verdict({**pending(), "pending": {"enrol": [key()], "delete": [key(OTHER)]}}, CONSOLE)
    assert (found["request"], found["keys"]) == ("enrol", [SHA1])


def test_a_key_that_nobody_here_asked_for_is_left_to_a_person():
    rows = {"enrol": [key(), key(OTHER)], "delete": []}
    found = verdict({**pending(), "pending": rows}, CONSOLE)
    assert found["attended"] == "person"
    assert any("CN=key b" in text and "Say No" in text for text in found["instructions"])
    alone = {"enrol": [key(OTHER)], "delete": []}
    calm = verdict(mok(pending=alone), CONSOLE, **{"driver.loaded": None})
    assert (calm["required"], calm["attended"]) == (False, None)


@pytest.mark.parametrize(
    ("timeout", "words"), [(None, "you have 10 seconds"), (300, "you have 300 seconds"), (-1, "it waits for you")]
)
def test_a_person_is_told_each_step(timeout, words):
    facts = {**converged(), "mok": pending(timeout)}
    steps = driver_reboot(facts, driver_plan(facts, {}), "in /home/o/.gpufleet/mok/gpu7 on the controller")[
        "instructions"
    ]
    text = " ".join(steps)
    wanted = [words, "Enroll MOK", ":".join(["aa"] * 20), "/home/o/.gpufleet/mok/gpu7", "playbooks/verify.yml"]
    assert [word for word in wanted if word not in text] == []


@pytest.mark.parametrize(
    ("facts", "load_now"), [(mok(), True), (untrusted(), False), (pending(), False), (mok(modules=[]), False)]
)
def test_only_trusted_modules_are_loaded_at_once(facts, load_now):
    assert verdict(facts, **{"driver.loaded": None})["load_now"] is load_now


@pytest.mark.parametrize("facts", [untrusted(), pending(), mok("unsigned", modules=[signed(None)])])
def test_a_module_that_will_not_load_is_a_deviation_told_once(facts):
    facts = {**converged(**{"driver.loaded": None}), "mok": facts}
    assert [text for text in deviations(facts, driver_plan(facts, {})) if "loaded" in text or "to be done" in text] == [
        facts["mok"]["next_step"]
    ]
    ignored = driver_plan(facts, {"secure_boot": "ignore"})
    assert facts["mok"]["next_step"] not in deviations(facts, ignored)
