"""A vGPU guest: its driver is what its host decides, and everything else must fit."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from tests.unit.golden.hosts import codes, driver, host, text_of


def guest(version: str | None = "525.105.17", **changes):
    """Field report 001: a P40's vGPU in a guest with Ubuntu 22.04 and the GRID driver 525.105.17."""
    loaded = {"name": "nvidia", "version": version, "flavour": "proprietary"} if version else None
    facts = host("ubuntu-22.04", "p40", place="vgpu_guest", driver={**driver(), "loaded": loaded})
    return {**facts, **changes}


def test_the_driver_is_fixed_and_its_plan_is_empty():
    plan = stack(guest(), {})["driver"]
    assert (plan["fixed"], plan["version"], plan["branch"], plan["method"]) == (True, "525.105.17", 525, "grid")
    assert plan["packages"] == plan["findings"] == plan["commands"] == []
    assert plan["platform"]["name"] == "Ubuntu 22.04"


def test_it_has_the_keys_of_every_other_plan():
    assert set(stack(guest(), {})["driver"]) == set(stack(host("ubuntu-22.04", "p40"), {})["driver"])


def test_a_cuda_too_new_for_the_guest_driver_is_refused_with_the_newest_that_fits():
    result = stack(guest(), {"cuda": "13.0"})
    assert "cuda_needs_newer_driver" in codes(result) or "cuda_unsupported_gpu" in codes(result)
    facts = guest("525.105.17", pci=host("ubuntu-22.04", "t4")["pci"])
    result = stack(facts, {"cuda": "13.0"})
    assert codes(result) == ["cuda_needs_newer_driver"]
    text = text_of(result, "cuda_needs_newer_driver")
    assert "525.105.17" in text and "12.9" in text and "vGPU" in text


@pytest.mark.parametrize(
    ("version", "release"), [("525.105.17", "12.0"), ("535.183.01", "12.2"), ("580.95.05", "12.9")]
)
def test_auto_is_the_newest_with_all_features_by_runfile(version, release):
    result = stack(guest(version), {"cuda": "auto"})
    assert [row["release"] for row in result["cuda"]["releases"]] == [release]
    assert (result["cuda"]["method"], codes(result)) == ("runfile", [])


@pytest.mark.parametrize("method", ["repository", "distribution"])
def test_packages_are_refused_unless_the_driver_is_protected(method):
    wants = {"versions": ["12.0"], "method": method}
    assert codes(stack(guest(), {"cuda": wants})) == ["grid_method_refused"]
    assert codes(stack(guest(), {"cuda": {**wants, "protect_driver_enabled": True}})) == []
    held = guest(grid={"installed": True, "gridd": None, "package": None, "protected_by": ["hold"]})
    assert codes(stack(held, {"cuda": wants})) == []


def test_the_packages_of_a_grid_driver_make_a_guest_wherever_it_is():
    package = {"name": "nvidia-linux-grid-580", "version": "580.95.05", "held": False}
    grid = {"installed": True, "gridd": "/usr/bin/nvidia-gridd", "package": package, "protected_by": []}
    plan = stack(host("ubuntu-22.04", "t4", place="passthrough", grid=grid), {})["driver"]
    assert (plan["fixed"], plan["version"]) == (True, "580.95.05")


@pytest.mark.parametrize(("vgpu", "version"), [("19.2", "580.95.05"), ("16.6", "535.183.01")])
def test_a_vgpu_release_decides_the_guest_driver(vgpu, version):
    result = stack(host("ubuntu-22.04", "t4"), {"vgpu": vgpu})
    assert (result["driver"]["version"], result["driver"]["fixed"], codes(result)) == (version, True, [])
    assert vgpu in result["why"]["branch"]


def test_an_installed_guest_driver_of_another_release_is_told():
    assert "grid_driver_differs" in codes(stack(guest(), {"vgpu": "19.2"}), "note")


def test_an_unknown_vgpu_release_is_named_with_the_nearest():
    result = stack(guest(), {"vgpu": "99.1"})
    assert codes(result) == ["vgpu_unknown"]
    assert "99.1" in text_of(result, "vgpu_unknown")


def test_a_vgpu_release_that_does_not_drive_the_card_is_refused():
    assert codes(stack(host("ubuntu-22.04", "b200"), {"vgpu": "16.6"})) == ["vgpu_gpu_unsupported"]


def test_a_branch_of_its_own_contradicts_the_guest():
    assert codes(stack(guest(), {"driver_branch": 580})) == ["want_conflict"]
    assert codes(stack(guest(), {"driver_branch": 525})) == []


def test_a_guest_without_driver_is_told_and_refused_once_something_depends_on_it():
    assert codes(stack(guest(None), {})) == []
    assert "grid_driver_unknown" in codes(stack(guest(None), {}), "warning")
    assert "grid_driver_unknown" in codes(stack(guest(None), {"cuda": "12.0"}))
    assert "grid_driver_unknown" not in codes(stack(guest(None), {"cuda": "12.0", "vgpu": "16.6"}))


def test_a_vllm_too_new_for_the_guest_driver_is_refused():
    facts = guest(pci=host("ubuntu-22.04", "t4")["pci"])
    assert codes(stack(facts, {"vllm": "0.33"})) == ["vllm_needs_newer_driver"]
    assert codes(stack(facts, {"vllm": "0.11"})) == []
