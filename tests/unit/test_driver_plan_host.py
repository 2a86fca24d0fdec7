"""What a plan makes of the host as it is: its kernels, its place, and what is installed on it."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from tests.unit.golden.hosts import codes, driver, host, kernel, module, package, text_of

RUNNING = "6.1.0-41-amd64"


def debian(*cards, release="debian-12", **changes):
    return host(release, *cards, **changes)


@pytest.mark.parametrize(("place", "refused"), [("vgpu_guest", True), ("vgpu_host", True), ("passthrough", False)])
def test_vgpu_places_are_refused(place, refused):
    assert ("vgpu_place" in codes(driver_plan(debian("a100", place=place), {}))) == refused


@pytest.mark.parametrize(
    ("grid", "refused"), [({"installed": True}, True), ({"installed": False}, False), (None, False)]
)
def test_an_installed_grid_driver_is_never_replaced(grid, refused):
    facts = debian("a100", place="passthrough", grid=grid)
    assert ("vgpu_place" in codes(driver_plan(facts, {"method": "repository"}))) == refused


def test_an_unsupported_distribution_is_named_with_the_supported_ones():
    facts = debian("a100")
    facts["system"].update(distribution="gentoo", version="2.17")
    text = text_of(driver_plan(facts, {}), "platform_unsupported")
    assert "gentoo 2.17" in text and "Debian 12" in text and "Arch Linux" in text


def test_partial_facts_are_refused():
    facts = debian("a100")
    del facts["kernel"], facts["pci"]
    assert "kernel and pci" in text_of(driver_plan(facts, {}), "facts_missing")
    assert codes(driver_plan({}, {})) == ["facts_missing"]


@pytest.mark.parametrize(
    ("wanted", "facts", "kernels", "errors", "warnings"),
    [
        (["running"], kernel("6.1.0-41"), ["6.1.0-41"], [], []),
        (
            ["running", "next", "6.1.0-41"],
            kernel("6.1.0-41", "6.1.0-42", following="6.1.0-42"),
            ["6.1.0-41", "6.1.0-42"],
            [],
            [],
        ),
        (["installed"], kernel("6.1.0-41", "6.1.0-42"), ["6.1.0-41", "6.1.0-42"], [], []),
        (["running"], kernel("6.1.0-41", running="6.8.12"), [], ["kernel_running_not_installed"], []),
        (["6.1.0-41"], kernel("6.1.0-41", running="6.8.12"), ["6.1.0-41"], [], []),
        (
            ["running"],
            kernel("6.1.0-41", "6.1.0-42", following="6.1.0-42"),
            ["6.1.0-41"],
            [],
            ["kernel_next_uncovered"],
        ),
        (["6.1.0-99"], kernel("6.1.0-41", following="6.1.0-99"), ["6.1.0-99"], [], ["kernel_without_image"]),
        (["next"], {**kernel("6.1.0-41"), "next": None}, [], ["kernel_next_unknown"], []),
        (["next"], {"running": "6.1", "next": "6.1", "installed": []}, [], ["kernel_none_installed"], []),
        (["running"], {"running": "6.1", "next": "6.1", "installed": []}, [], ["kernel_none_installed"], []),
        (["6.1.0-41"], {"running": "6.8", "next": "6.8", "installed": []}, ["6.1.0-41"], [], ["kernel_without_image"]),
        (["installed"], {"running": "6.1", "next": None, "installed": []}, [], ["kernel_none_installed"], []),
    ],
)
def test_kernels_are_resolved_once_each(wanted, facts, kernels, errors, warnings):
    plan = driver_plan(debian("a100", kernel=facts), {"kernels": wanted})
    assert plan["kernels"] == kernels
    assert (codes(plan), codes(plan, "warning")) == (errors, warnings)
    assert plan["header_packages"] == [f"linux-headers-{release}" for release in kernels or [""]]


def test_what_is_installed_stays_when_nothing_else_is_asked_for():
    packages = [package("nvidia-kernel-dkms", "535.216.01-1"), package("nvidia-smi", "535.216.01-1")]
    facts = debian("a100", driver=driver(packages=packages, on_disk=module("535.216.01", "proprietary")))
    plan = driver_plan(facts, {})
    assert (plan["flavour"], plan["version"], codes(plan)) == ("proprietary", None, [])
    assert "is installed" in plan["why"]["flavour"]
    assert driver_plan(facts, {"flavour": "open"})["flavour"] == "open"


def test_a_series_of_the_same_branch_stays_too():
    packages = [package("nvidia-tesla-535-kernel-dkms", "535.216.03-3~deb12u1")]
    facts = debian("p4", driver=driver(packages=packages))
    assert driver_plan(facts, {})["series"] == "tesla-535"
    assert driver_plan(facts, {"version": "535.261.03"})["series"] == "current"


def test_a_package_that_left_only_its_configuration_is_notdriver():
    packages = [package("nvidia-tesla-535-kernel-dkms", "535.216.03-3~deb12u1", state="config-files")]
    assert driver_plan(debian("p4", driver=driver(packages=packages)), {})["series"] == "current"


def test_a_version_of_another_series_takes_that_series():
    plan = driver_plan(debian("p4"), {"version": "535.216.03"})
    assert (plan["series"], plan["version"]) == ("tesla-535", "535.216.03")


def test_the_installed_branch_tells_streams_with_equal_package_names_apart():
    packages = [package("kmod-nvidia-open-dkms", "3:595.71.05-1.el9")]
    facts = host("rocky-9", "a100", driver=driver(packages=packages))
    assert driver_plan(facts, {})["branch"] == 595


def test_a_foreign_branch_is_never_replaced_silently():
    packages = [package("nvidia-kernel-open-dkms", "580.95.05-1")]
    facts = debian("a100", driver=driver(packages=packages, on_disk=module("580.95.05", "open")))
    assert codes(driver_plan(facts, {})) == ["driver_foreign"]
    assert codes(driver_plan(facts, {"branch": 535})) == []


@pytest.mark.parametrize("method", ["runfile", "mixed"])
def test_a_runfile_is_refused_unless_its_removal_is_allowed(method):
    runfile = {"uninstaller": "/usr/bin/nvidia-uninstall", "version": "570.86.15"}
    facts = debian("a100", driver=driver(method, runfile=runfile, on_disk=module("570.86.15", "open")))
    plan = driver_plan(facts, {"branch": 535})
    assert codes(plan) == ["runfile_installed"]
    assert "570.86.15" in text_of(plan, "runfile_installed") and "/usr/bin/nvidia-uninstall" in text_of(
        plan, "runfile_installed"
    )
    assert codes(driver_plan(facts, {"branch": 535, "runfile_removal_ok": True})) == []
    assert codes(driver_plan(facts, {"state": "absent"}), "warning") == ["runfile_kept"]


@pytest.mark.parametrize(
    ("platform", "severity", "code"),
    [("debian-12", "warning", "secure_boot_untrusted"), ("ubuntu-24.04", "note", "secure_boot_signed")],
)
def test_secure_boot_is_mentioned_before_modules_are_refused(platform, severity, code):
    facts = host(platform, "a100")
    facts["system"]["secure_boot"] = "enabled"
    assert code in codes(driver_plan(facts, {}), severity)


def test_alpha_modules_are_taken_when_the_owner_says_so_twice():
    wants = {"flavour": "open", "module_parameters": {"NVreg_OpenRmEnableUnsupportedGpus": 1}}
    plan = driver_plan(debian("a6000"), wants)
    assert (codes(plan), codes(plan, "warning")) == ([], ["open_modules_alpha"])
