"""Deviations of a host from its plan, each a sentence."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_reboot import driver_reboot
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_verification import deviations
from tests.unit.golden.converged import LOADED_OLD, LOADED_OPEN, OLD, VERSION, converged
from tests.unit.golden.hosts import kernel, package


def test_a_converged_host_is_as_declared():
    facts = converged()
    assert deviations(facts, driver_plan(facts, {}), persistence=True) == []
    assert not any(driver_reboot(facts, driver_plan(facts, {})).values())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"driver.dkms": []}, [OLD, "has built nothing", "make.log"]),
        (
            {
                "driver.dkms": [
                    {
                        "module": "nvidia-current",
                        "version": VERSION,
                        "kernel": OLD,
                        "machine": "x86_64",
                        "state": "added",
                    }
                ]
            },
            ["dkms says nvidia-current added"],
        ),
        ({"driver.loaded": LOADED_OLD}, ["535.183.01", VERSION, "reboot"]),
        ({"driver.loaded": LOADED_OPEN}, ["the open one", "proprietary is declared"]),
        ({"driver.loaded": None}, ["No NVIDIA module is loaded", "modprobe nvidia"]),
        ({"driver.library": None}, ["libnvidia-ml"]),
        ({"driver.library": {"version": "535.216.01", "path": "x"}}, ["535.216.01", "mismatch"]),
        ({"nouveau": {"loaded": ["nouveau"], "bound": [], "blacklisted": True}}, ["nouveau is still loaded"]),
        ({"nouveau": {"loaded": ["nova_core"], "bound": ["0000:01:00.0"], "blacklisted": True}}, ["0000:01:00.0"]),
        ({"nouveau": {"loaded": [], "bound": [], "blacklisted": False}}, ["Nothing keeps nouveau"]),
        ({"gpus": []}, ["1 GPUs are on the PCI bus", "shows 0", "0000:01:00.0"]),
        ({"nvml": {"available": False, "reason": "time-out"}}, ["NVML does not answer (time-out)"]),
        ({"gpus": [{"index": 0, "persistence_mode": False}]}, ["Persistence mode is off on GPU 0"]),
        ({"driver.install.packages": []}, ["nvidia-kernel-dkms", "are not installed"]),
    ],
)
def test_a_deviation_is_a_sentence_with_what_to_do(changes, words):
    facts = converged(**changes)
    found = deviations(facts, driver_plan(facts, {"flavour": "proprietary", "branch": 535}), persistence=True)
    assert found
    assert [word for word in words if word not in " ".join(found)] == []
    assert all(text.endswith(".") for text in found)


def test_one_package_that_could_move_is_named():
    facts = converged()
    facts["driver"]["install"]["packages"][5]["held"] = False
    plan = driver_plan(facts, {})
    (text,) = deviations(facts, plan)
    assert "nvidia-kernel-support" in text and "not held" in text and "nvidia-modprobe" not in text
    assert deviations(facts, driver_plan(facts, {"hold_enabled": False})) == []


def test_a_wrong_version_is_seen_on_disk_and_loaded():
    facts = converged()
    found = deviations(facts, driver_plan(facts, {"version": "535.216.01"}))
    assert len([text for text in found if "535.216.01 is declared" in text]) == 2


def test_a_leftover_of_another_flavour_is_seen():
    facts = converged()
    facts["driver"]["install"]["packages"].append(package("nvidia-open-kernel-dkms", f"{VERSION}-1"))
    (text,) = deviations(facts, driver_plan(facts, {"flavour": "proprietary"}))
    assert "nvidia-open-kernel-dkms of another driver" in text


def test_persistence_is_compared_only_when_declared():
    facts = converged(gpus=[{"index": 0, "persistence_mode": False}])
    assert deviations(facts, driver_plan(facts, {})) == []
    assert deviations(facts, driver_plan(facts, {}), persistence=False) == []


def test_gpus_given_to_guests_are_not_missed():
    facts = converged("p40", "p4")
    facts["pci"][1]["driver"] = "vfio-pci"
    facts["gpus"] = facts["gpus"][:1]
    assert deviations(facts, driver_plan(facts, {})) == []


def test_a_container_does_not_load_modules():
    facts = converged(
        kernel=kernel(OLD, running="6.8.12-host", following=OLD),
        place="container",
        **{"driver.loaded": None, "nvml": {"available": False, "reason": "no device"}},
    )
    plan = driver_plan(facts, {"kernels": ["installed"]})
    assert deviations(facts, plan) == []
    assert not any(driver_reboot(facts, plan).values())


def test_a_declaration_that_cannot_be_met_says_so():
    facts = converged()
    (text,) = deviations(facts, driver_plan(facts, {"flavour": "open"}))
    assert text.startswith("The declaration cannot be met: ") and "Turing" in text


def test_absent_is_verified_too():
    facts = converged()
    found = deviations(facts, driver_plan(facts, {"state": "absent"}))
    assert len(found) == 2 and "still installed" in found[0] and "still loaded" in found[1]
    facts = converged(**{"driver.install.packages": [], "driver.loaded": None})
    assert deviations(facts, driver_plan(facts, {"state": "absent"})) == []
