"""The stack of hosts as they are met: what is chosen, why, and what is refused."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import Driver
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_releases import mode_of, release_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key
from tests.unit.captured import fixture
from tests.unit.golden.hosts import PLATFORMS, card, codes, driver, host, module, package, text_of

CATALOGUE = load()


def installed(version: str, platform: str = "ubuntu-24.04", *cards: str, **changes):
    """A host with Ubuntu's server driver of that version."""
    branch = version.split(".")[0]
    names = [f"nvidia-headless-{branch}-server-open", f"nvidia-utils-{branch}-server"]
    rows = [package(name, f"{version}-0ubuntu1") for name in names]
    facts = host(platform, *(cards or ("h200",)), **changes)
    kernel = PLATFORMS[platform][4]
    facts["driver"] = {**driver(packages=rows), "on_disk": {kernel: module(version, "open")}}
    return facts


def toolkit(release: str, source: str = "repository"):
    path = "/usr" if source == "distribution" else f"/usr/local/cuda-{release}"
    row = {"release": release, "version": None, "path": path, "nvcc": f"{path}/bin/nvcc", "source": source}
    return {"toolkits": [row], "default": {"path": path, "release": release, "alternatives": True}, "packages": []}


def releases(result):
    return [row["release"] for row in result["cuda"]["releases"]]


def test_nothing_asked_gives_the_driver_and_says_how_far_cuda_could_go():
    result = stack(host("debian-12", "p40"), {})
    assert (result["driver"]["branch"], result["driver"]["fixed"]) == (535, False)
    assert result["cuda"] == {"wanted": False, "releases": [], "method": None, "newest": "12.9"}
    assert not result["nccl"]["wanted"] and not result["vllm"]["wanted"]
    assert "12.9" in result["why"]["cuda"]
    assert codes(result) == []


def test_the_cards_of_one_host_are_resolved_together():
    """Field report 000: a GTX 750 Ti for the display beside a Tesla P40."""
    result = stack(host("ubuntu-22.04", "p40", "gtx750ti"), {"cuda": "auto"})
    assert [row["compute_capability"] for row in result["gpus"]] == ["6.1", "5.0"]
    assert (result["driver"]["branch"], result["driver"]["flavour"]) == (580, "proprietary")
    assert releases(result) == ["12.9"], "the newest that compiles for both, although the driver runs 13"
    assert result["cuda"]["releases"][0]["mode"] == "full"


def test_a_cuda_that_no_longer_compiles_for_a_card_is_refused_with_the_newest_that_does():
    result = stack(host("ubuntu-24.04", "p40"), {"cuda": "13.0"})
    assert codes(result) == ["cuda_unsupported_gpu"]
    text = text_of(result, "cuda_unsupported_gpu")
    assert "Tesla P40" in text and "6.1" in text and "12.9" in text
    assert result["driver"]["branch"] == 580, "the driver is planned as if nothing asked for that CUDA"


def test_a_cuda_that_is_newer_than_every_driver_here_is_refused_with_the_newest_that_can_be_had():
    result = stack(host("debian-12", "t4"), {"cuda": "13.0"})
    assert codes(result) == ["cuda_needs_newer_driver"]
    text = text_of(result, "cuda_needs_newer_driver")
    assert "580" in text and "535.261.03" in text and "12.9" in text and "nvidia_driver_method: repository" in text


def test_the_vendor_repository_has_the_driver_that_the_distribution_lacks():
    result = stack(host("debian-12", "t4"), {"cuda": "13.0", "driver_method": "repository"})
    assert codes(result) == []
    assert result["driver"]["branch"] >= 580


def test_a_branch_that_is_asked_for_is_never_moved_for_a_cuda():
    result = stack(host("ubuntu-24.04", "t4"), {"cuda": "13.0", "driver_branch": 470})
    assert codes(result) == ["driver_too_old_for"]
    text = text_of(result, "driver_too_old_for")
    assert "CUDA 13.0" in text and "nvidia_driver_branch 470" in text
    assert "13" in text_of(result, "cuda_newest")


@pytest.mark.parametrize(
    ("asked", "release", "update", "mode"),
    [
        ("12.2", "12.2", None, "full"),
        ("12.2.2", "12.2", "12.2.2", "full"),
        ("12.6", "12.6", None, "minor_version"),
        ("11.8", "11.8", None, "full"),
    ],
)
def test_what_a_cuda_means_with_the_driver_is_told(asked, release, update, mode):
    result = stack(host("debian-12", "p40"), {"cuda": asked})
    row = result["cuda"]["releases"][0]
    assert (row["release"], row["update"], row["mode"]) == (release, update, mode)
    assert ("cuda_minor_version" in codes(result, "note")) == (mode == "minor_version")
    assert codes(result) == []


def test_minor_version_mode_names_its_limits_and_the_branch_without_them():
    text = text_of(stack(host("ubuntu-24.04", "h200"), {"cuda": "13.2"}), "cuda_minor_version")
    assert "PTX" in text and "features" in text and "595" in text and "580" in text


def test_toolkits_side_by_side_keep_their_order():
    assert releases(stack(host("debian-12", "p40"), {"cuda": ["11.8", "12.2"]})) == ["11.8", "12.2"]
    assert releases(stack(host("ubuntu-24.04", "h200"), {"cuda": ["12.6", "auto"]})) == ["12.6", "13.0"]
    assert releases(stack(host("ubuntu-24.04", "h200"), {"cuda": ["auto", "12.6"]})) == ["13.0", "12.6"]
    assert releases(stack(host("debian-12", "p40"), {"cuda": ["12.2", "12.2.2"]})) == ["12.2"]


@pytest.mark.parametrize(
    ("asked", "code", "near"),
    [("12.7", "cuda_unknown", "12.6"), ("13", "cuda_unknown", "13.0"), ("newest", "cuda_unknown", "13.4")],
)
def test_an_unknown_cuda_is_named_with_the_nearest(asked, code, near):
    result = stack(host("debian-12", "p40"), {"cuda": asked})
    assert codes(result) == [code]
    assert near in text_of(result, code) and asked in text_of(result, code)


def test_an_unknown_update_and_two_updates_of_one_release_are_refused():
    assert codes(stack(host("debian-12", "p40"), {"cuda": "12.6.9"})) == ["cuda_update_unknown"]
    assert codes(stack(host("debian-12", "p40"), {"cuda": ["12.6.2", "12.6.3"]})) == ["cuda_updates_conflict"]


@pytest.mark.parametrize(
    ("platform", "asked", "method", "release"),
    [
        ("debian-12", "auto", "distribution", "11.8"),
        ("debian-13", "auto", "distribution", "12.4"),
        ("debian-13", "12.4", "distribution", "12.4"),
        ("debian-13", "12.4.0", "repository", "12.4"),
        ("debian-13", "12.6", "repository", "12.6"),
        ("ubuntu-24.04", "auto", "repository", "12.9"),
    ],
)
def test_the_distribution_s_own_toolkit_is_taken_where_it_is_what_is_asked_for(platform, asked, method, release):
    result = stack(host(platform, "p40"), {"cuda": asked})
    assert (result["cuda"]["method"], releases(result)) == (method, [release])


def test_two_sources_of_packages_are_announced():
    assert "two_sources" in codes(stack(host("debian-13", "p40"), {"cuda": "12.6"}), "note")
    assert "two_sources" not in codes(stack(host("debian-13", "p40"), {"cuda": "12.4"}), "note")


def test_what_is_installed_stays_when_it_satisfies():
    facts = installed("580.95.05", cuda=toolkit("12.6"))
    result = stack(facts, {"cuda": "auto", "nccl": "auto"})
    assert releases(result) == ["12.6"]
    assert not result["driver"]["upgrade"]
    assert "installed" in result["why"]["cuda"]


def test_an_installed_driver_moves_only_because_something_needs_it():
    facts = installed("470.256.02", "ubuntu-24.04", "a100")
    facts["driver"]["install"]["packages"] = [
        package(name, "470.256.02-0ubuntu1") for name in ("nvidia-headless-470-server", "nvidia-utils-470-server")
    ]
    assert stack(facts, {"cuda": "11.4"})["driver"]["branch"] == 470
    moved = stack(facts, {"cuda": "13.0"})
    assert moved["driver"]["branch"] == 580 and moved["driver"]["upgrade"]
    assert "driver_moves_for" in codes(moved, "note")


def test_a_card_that_came_after_a_cuda_is_warned_about():
    assert "cuda_older_than_gpu" in codes(stack(host("ubuntu-24.04", "b200"), {"cuda": "12.6"}), "warning")
    assert "cuda_older_than_gpu" not in codes(stack(host("ubuntu-24.04", "b200"), {"cuda": "13.0"}), "warning")


def test_an_unknown_card_is_not_guessed_at():
    facts = host("ubuntu-24.04", pci=[card("p40", 1, device="ffff", architecture="unknown")])
    wants = {"cuda": "12.6", "vllm": "0.11", "driver_branch": 580, "flavour": "open"}
    result = stack(facts, wants)
    assert codes(result) == []
    assert {"cuda_gpu_unknown", "vllm_gpu_unknown"} <= set(codes(result, "warning"))
    assert result["gpus"][0]["compute_capability"] is None


def test_nvml_is_believed_before_the_tables():
    facts = host(
        "ubuntu-24.04", "h200", gpus=[{"address": "0000:01:00.0", "compute_capability": "9.9", "memory_mib": 7}]
    )
    row = stack(facts, {})["gpus"][0]
    assert (row["compute_capability"], row["memory_mib"]) == ("9.9", 7)


def test_two_h200_as_read_from_the_machine():
    facts = json.loads(fixture("h200/facts.json"))
    result = stack(facts, {"cuda": "auto", "driver_branch": 580})
    assert [row["compute_capability"] for row in result["gpus"]] == ["9.0", "9.0"]
    assert (result["driver"]["branch"], result["driver"]["flavour"]) == (580, "open")
    assert releases(result) == ["13.0"]
    assert "580.159.04" in result["why"]["cuda"], "what is loaded, not what a package would bring"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_resolved_driver_is_the_plan_of_the_driver_s_own_filter(platform):
    from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan

    facts = host(platform, "a100")
    assert stack(facts, {})["driver"] == {"fixed": False, **driver_plan(facts, {})}


def test_a_cuda_that_the_repository_of_the_distribution_lacks_comes_as_a_runfile():
    facts = host("debian-12", "p40")
    assert stack(facts, {"cuda": "12.1"})["cuda"]["method"] == "runfile", "Debian 12's begins with 12.3"
    result = stack(facts, {"cuda": {"versions": ["12.1"], "method": "repository"}})
    text = text_of(result, "cuda_not_in_repository")
    assert "Debian 12 has no CUDA 12.1" in text and "12.3" in text and "cuda_runfiles" in text
    mirror = {"versions": ["12.1"], "method": "repository", "repository_url": "https://mirror.example"}
    assert "cuda_not_in_repository" not in codes(stack(facts, {"cuda": mirror})), "what a mirror has is its owner's"


def test_a_compute_capability_that_a_compiler_leaves_out_between_its_ends_counts_as_newer():
    release = release_of("12.9", None, CATALOGUE)
    assert "10.7" in release.without and release.low == "5.0" and release.high == "12.1"


def test_the_first_releases_of_a_major_need_less_than_its_floor():
    release = release_of("11.0", None, CATALOGUE)
    oldest = min(filter(None, CATALOGUE.cuda["releases"]["11.0"]["updates"].values()), key=version_key)
    assert mode_of(release._replace(driver=oldest), Driver(oldest, None)) == "full"


def test_the_distribution_s_toolkit_is_not_mixed_with_a_driver_of_nvidia_s_repository():
    facts = host("debian-12", "t4")
    auto = stack(facts, {"driver_method": "repository", "cuda": "auto"})
    assert (auto["cuda"]["method"], codes(auto)) == ("repository", [])
    named = {"driver_method": "repository", "cuda": {"versions": ["11.8"], "method": "distribution"}}
    assert codes(stack(facts, named)) == ["sources_conflict"]
    kept_out = {"driver_method": "repository", "cuda": {"versions": ["auto"], "protect_driver_enabled": True}}
    assert "cuda_protect_driver_enabled" in text_of(stack(facts, kept_out), "protection_conflicts")
