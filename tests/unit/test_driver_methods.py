"""The same rules for three sources: the distribution's packages, NVIDIA's own repository, and NVIDIA's runfile."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_reboot import driver_reboot
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_verification import deviations
from tests.unit.golden.converged import change, converged
from tests.unit.golden.hosts import PLATFORMS, archive, codes, driver, host, module, package, text_of

VERSION = "580.105.08"
KERNEL = PLATFORMS["debian-12"][4]
RUNFILE = {"src": f"https://example.org/NVIDIA-Linux-x86_64-{VERSION}.run", "sha256": "a" * 64}
BY_RUNFILE = {"method": "runfile", "runfile": RUNFILE}
REPOSITORY = {"method": "repository"}
OURS = "/etc/apt/sources.list.d/gpufleet-nvidia-driver.sources"


def entry(uri, file="/etc/apt/sources.list.d/cuda-debian12-x86_64.list"):
    key = "/usr/share/keyrings/cuda-archive-keyring.gpg"
    return {"uris": [uri], "suite": "/", "components": [], "signed_by": key, "file": file}


def debian(*cards, extra=(), **changes):
    facts = host("debian-12", *(cards or ["a100"]), **changes)
    return {**facts, "repositories": [*archive("bookworm"), *extra]}


@pytest.mark.parametrize(
    ("platform", "card", "wants", "packages"),
    [
        ("debian-12", "p40", {}, ["nvidia-driver-pinning-580", "nvidia-kernel-dkms", "nvidia-driver-cuda"]),
        ("debian-13", "b200", {}, ["nvidia-driver-pinning-580", "nvidia-kernel-open-dkms", "nvidia-driver-cuda"]),
        (
            "debian-13",
            "a100",
            {"branch": 595},
            ["nvidia-driver-pinning-595", "nvidia-kernel-open-dkms", "nvidia-driver-cuda"],
        ),
        (
            "ubuntu-22.04",
            "a100",
            {},
            ["nvidia-driver-pinning-580", "nvidia-dkms-580-open", "libnvidia-compute-580", "nvidia-utils-580"],
        ),
        (
            "ubuntu-24.04",
            "h200",
            {"branch": 615},
            ["nvidia-driver-pinning-615", "nvidia-dkms-open", "libnvidia-compute"],
        ),
        (
            "ubuntu-24.04",
            "a100",
            {"version": "595.71.05", "flavour": "proprietary"},
            ["nvidia-driver-pinning-595.71.05", "nvidia-dkms", "libnvidia-compute"],
        ),
    ],
)
def test_nvidia_s_names_carry_the_branch_where_nvidia_s_do(platform, card, wants, packages):
    plan = driver_plan(host(platform, card), {**REPOSITORY, **wants})
    assert (codes(plan), plan["packages"]) == ([], packages)
    assert plan["packages"][0] == plan["pinning"]


def test_what_nvidia_s_repository_lacks_is_refused_like_anything_else():
    assert codes(driver_plan(debian("k80"), REPOSITORY)) == ["gpu_unsupported_here"]
    assert codes(driver_plan(debian("p40"), {**REPOSITORY, "branch": 595})) == ["branch_dropped_gpu"]
    assert codes(driver_plan(debian("a100"), {**REPOSITORY, "branch": 615, "flavour": "proprietary"})) == [
        "flavour_not_offered"
    ]
    assert "method_not_offered" in codes(driver_plan(host("arch", "a100"), REPOSITORY))


def test_our_entry_names_the_key_that_the_role_has_checked():
    plan = driver_plan(debian(), REPOSITORY)
    file = next(row for row in plan["package_files"] if row["path"] == OURS)
    key = plan["repository_key"]
    assert f"Signed-By: {key['path']}\n" in file["content"] and "Suites: /\n" in file["content"]
    assert key["url"].endswith("/debian12/x86_64/3bf863cc.pub")
    assert key["fingerprint"] == "EB693B3035CD5710E231E123A4B469963BF863CC"


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_an_entry_of_the_host_s_own_is_used_as_it_is(scheme):
    uri = driver_plan(debian(), REPOSITORY)["repository_key"]["url"].rsplit("/", 1)[0].replace("https", scheme)
    plan = driver_plan(debian(extra=[entry(uri)]), REPOSITORY)
    assert (codes(plan), plan["repository_key"]) == ([], None)
    assert {"path": OURS, "state": "absent"} in plan["package_files"]
    assert "cuda-debian12" in text_of(plan, "repository_of_the_host")


def test_our_own_entry_is_no_one_else_s():
    uri = driver_plan(debian(), REPOSITORY)["repository_key"]["url"].rsplit("/", 1)[0]
    assert driver_plan(debian(extra=[entry(uri, OURS)]), REPOSITORY)["repository_key"] is not None


def test_a_repository_that_may_not_be_enabled_or_not_be_trusted_is_refused():
    assert "repository_not_allowed" in codes(driver_plan(debian(), {**REPOSITORY, "repositories_ok": False}))
    assert codes(driver_plan(host("ubuntu-26.04", "a100"), REPOSITORY)) == ["repository_key_unknown"]
    key = {"url": "https://example.org/key.asc", "fingerprint": "0" * 40}
    assert codes(driver_plan(host("ubuntu-26.04", "a100"), {**REPOSITORY, "repository_key": key})) == []
    assert codes(driver_plan(debian(), {**REPOSITORY, "repository_key": {"url": key["url"]}})) == [
        "repository_key_unknown"
    ]


def test_a_mirror_keeps_nvidia_s_folders_and_key():
    plan = driver_plan(debian(), {**REPOSITORY, "repository_url": "https://example.org/nvidia/"})
    assert plan["repository_key"]["url"] == "https://example.org/nvidia/debian12/x86_64/3bf863cc.pub"
    assert plan["repository_key"]["fingerprint"] == "EB693B3035CD5710E231E123A4B469963BF863CC"


@pytest.mark.parametrize(
    ("platform", "wants", "gone", "kept"),
    [
        ("debian-12", REPOSITORY, {"nvidia-open-kernel-dkms", "nvidia-tesla-470-smi"}, {"libcuda1", "nvidia-smi"}),
        ("debian-12", {}, {"nvidia-kernel-open-dkms", "nvidia-driver-pinning-*"}, {"libcuda1", "nvidia-driver"}),
        (
            "ubuntu-24.04",
            REPOSITORY,
            {"nvidia-headless-580-server-open"},
            {"libnvidia-compute-580", "nvidia-utils-580"},
        ),
        ("ubuntu-24.04", {}, {"nvidia-dkms-open"}, {"nvidia-dkms-580-open", "libnvidia-compute-580"}),
    ],
)
def test_what_the_other_source_brought_goes_unless_both_have_that_name(platform, wants, gone, kept):
    remove = set(driver_plan(host(platform, "a100"), wants)["remove"])
    assert gone <= remove and not kept & remove


def test_another_source_s_branch_is_never_taken_silently():
    facts = debian(
        driver=driver(packages=[package("nvidia-kernel-dkms", "535.261.03-1")], on_disk=module("535.261.03", "x"))
    )
    assert codes(driver_plan(facts, REPOSITORY)) == ["driver_foreign"]
    assert codes(driver_plan(facts, {**REPOSITORY, "branch": 580})) == []


@pytest.mark.parametrize(("card", "flavour"), [("p40", "proprietary"), ("a100", "open"), ("b200", "open")])
def test_a_runfile_s_version_is_in_its_name_and_its_flavour_follows_the_cards(card, flavour):
    plan = driver_plan(debian(card), BY_RUNFILE)
    assert (codes(plan), plan["version"], plan["branch"], plan["flavour"]) == ([], VERSION, 580, flavour)
    assert (plan["runfile"]["module_type"], plan["runfile"]["sha256"]) == (flavour, RUNFILE["sha256"])
    assert {"dkms", "gcc", "make"} <= set(plan["build_packages"])
    assert (plan["packages"], plan["nvml_packages"], plan["hold"]) == ([], [], False)


@pytest.mark.parametrize(
    ("wants", "expected"),
    [
        ({"runfile": None}, ["runfile_not_named"]),
        ({"runfile": {**RUNFILE, "sha256": "abc"}}, ["runfile_not_named"]),
        ({"runfile": {**RUNFILE, "src": "/srv/driver.run"}}, ["runfile_version_unknown"]),
        ({"runfile": {**RUNFILE, "src": "/srv/driver.run"}, "version": VERSION}, []),
        ({"branch": 535}, ["branch_version_conflict", "branch_not_offered"]),
        ({"flavour": "open"}, ["open_modules_unsupported"]),
        ({"runfile": {**RUNFILE, "src": "NVIDIA-Linux-x86_64-610.43.02.run"}}, ["branch_dropped_gpu"]),
        ({"requires": [{"what": "CUDA 13.1", "min_driver": "590.44", "source": "s"}]}, ["driver_too_old_for"]),
    ],
)
def test_a_runfile_obeys_the_same_rules(wants, expected):
    assert codes(driver_plan(debian("p40"), {**BY_RUNFILE, **wants})) == expected


def packaged():
    return debian(
        driver=driver(packages=[package("nvidia-kernel-dkms", "535.261.03-1")], on_disk=module("535.261.03", "open"))
    )


def test_a_runfile_is_not_laid_over_packages_unless_they_may_go():
    refused = driver_plan(packaged(), BY_RUNFILE)
    assert codes(refused) == ["packages_installed"]
    assert "nvidia-kernel-dkms" in text_of(refused, "packages_installed")
    allowed = driver_plan(packaged(), {**BY_RUNFILE, "package_removal_ok": True})
    assert (codes(allowed), allowed["previous"]["packages"]) == ([], ["nvidia-kernel-dkms"])
    assert allowed["previous"]["version"] == "535.261.03"


def installed(flavour="proprietary", **changes):
    """A host with the runfile's driver, loaded."""
    facts = converged("p40")
    facts["driver"] = {
        "loaded": {"version": VERSION, "flavour": flavour, "taints": "", "modules": ["nvidia"]},
        "on_disk": {KERNEL: module(VERSION, flavour)},
        "dkms": [{"module": "nvidia", "version": VERSION, "kernel": KERNEL, "machine": "x86_64", "state": "installed"}],
        "library": {"version": VERSION, "path": f"/usr/lib/libnvidia-ml.so.{VERSION}"},
        "install": {
            "method": "runfile",
            "packages": [],
            "runfile": {"uninstaller": "/usr/bin/nvidia-uninstall", "version": VERSION},
        },
    }
    facts["nvml"] = {"available": False, "reason": "no module pynvml", "code": None}
    facts["gpus"] = []
    return change(facts, changes)


def test_a_second_run_has_nothing_to_do_and_nothing_to_say():
    plan = driver_plan(installed(), BY_RUNFILE)
    assert (codes(plan), plan["runfile_there"]) == ([], True)
    assert deviations(installed(), plan) == []
    assert not driver_reboot(installed(), plan)["required"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"driver.install.runfile": None, "driver.install.method": "none"}, "No driver of NVIDIA's runfile"),
        ({"driver.install.packages": [package("libcuda1", "535.261.03-1")]}, "libcuda1"),
        ({"driver.on_disk": {KERNEL: module("535.54.03", "proprietary")}}, "535.54.03"),
        ({"driver.dkms": []}, "dkms has built nothing"),
        ({"driver.library.version": "535.54.03"}, "535.54.03"),
        ({"nvml": {"available": False, "reason": "mismatch", "code": 18}}, "NVML does not answer"),
    ],
)
def test_a_drift_is_found(changes, word):
    facts = installed(**changes)
    plan = driver_plan(facts, {**BY_RUNFILE, "package_removal_ok": True})
    assert word in " ".join(deviations(facts, plan))


@pytest.mark.parametrize(
    ("dkms", "wants", "is_there"),
    [
        ([], {}, False),
        ([], {"dkms_enabled": False}, True),
        ([{"module": "nvidia", "version": VERSION, "kernel": KERNEL, "state": "differs"}], {}, False),
        ([{"module": "nvidia", "version": VERSION, "kernel": "another", "state": "installed"}], {}, False),
    ],
)
def test_a_driver_that_dkms_has_lost_is_not_all_there(dkms, wants, is_there):
    plan = driver_plan(installed(**{"driver.dkms": dkms}), {**BY_RUNFILE, **wants})
    assert plan["runfile_there"] is is_there


def test_another_flavour_or_version_is_installed_anew():
    assert not driver_plan(installed("open"), {**BY_RUNFILE, "flavour": "proprietary"})["runfile_there"]
    other = {**RUNFILE, "src": "NVIDIA-Linux-x86_64-580.159.04.run"}
    assert not driver_plan(installed(), {**BY_RUNFILE, "runfile": other})["runfile_there"]


def test_a_module_that_is_in_the_way_is_left_to_the_reboot():
    held = driver_plan(installed(), {**BY_RUNFILE, "version": "580.159.04"})["runfile"]
    assert (held["load_modules"], held["allow_running_driver"]) == (False, True)
    free = driver_plan(debian("p40"), BY_RUNFILE)["runfile"]
    assert (free["load_modules"], free["allow_running_driver"]) == (True, False)
    nouveau = driver_plan(debian("p40", nouveau={"loaded": ["nouveau"], "bound": [], "blacklisted": False}), BY_RUNFILE)
    assert nouveau["runfile"]["load_modules"] is False


def test_absent_takes_the_runfile_away_when_it_was_the_method():
    plan = driver_plan(installed(), {**BY_RUNFILE, "state": "absent"})
    assert (plan["remove_runfile"], plan["runfile"], codes(plan, "warning")) == (True, None, [])
    assert "nvidia-uninstall" in " ".join(deviations(installed(), plan))
    assert codes(driver_plan(installed(), {"state": "absent"}), "warning") == ["runfile_kept"]


def test_back_to_packages_only_when_the_runfile_may_go():
    assert codes(driver_plan(installed(), {})) == ["runfile_installed"]
    assert codes(driver_plan(installed(), {"runfile_removal_ok": True})) == []
