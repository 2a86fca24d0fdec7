"""The catalogue's tables of what runs on a driver: they agree with each other and with the tables of drivers."""

from __future__ import annotations

import re

import pytest
import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import HERE, load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue_queries import targets
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

CATALOGUE = load()
MAJORS, RELEASES = CATALOGUE.cuda["majors"], CATALOGUE.cuda["releases"]
VERSION = re.compile(r"\d+(\.\d+)+(\.post\d+)?")
DRIVER = re.compile(r"\d{3}\.\d{2,3}(\.\d{2})?")


def _major(release: str) -> str:
    return release.split(".", maxsplit=1)[0]


def _newest_first(names) -> bool:
    return list(names) == sorted(names, key=version_key, reverse=True)


def _drivers():
    """Every driver version of the tables: where it is, and the version."""
    for release, row in RELEASES.items():
        for update, driver in row["updates"].items():
            if driver:
                yield f"CUDA {release} {update}", driver
    for row in CATALOGUE.vgpu.values():
        for release, versions in row["releases"].items():
            for side, driver in versions.items():
                yield f"vGPU {release} {side}", driver
    for family in CATALOGUE.platforms:
        for release, row in family["releases"].items():
            for offer in row["offers"]:
                if offer.get("version"):
                    yield f"{family['title']} {release}", offer["version"]


@pytest.mark.parametrize(("where", "version"), list(_drivers()))
def test_every_driver_is_between_the_first_and_the_last_of_its_branch(where, version):
    assert DRIVER.fullmatch(version), where
    row = CATALOGUE.branches[version_key(version)[0]]
    assert version_key(row["first"]) <= version_key(version) <= version_key(row["last"]), where


@pytest.mark.parametrize("number", list(CATALOGUE.branches))
def test_a_branch_says_what_is_known_of_it(number):
    row = CATALOGUE.branches[number]
    assert row["kind"] in ("LTSB", "PB", "NFB", None)
    assert row["eol"] is None or row["eol"] == "past" or re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", row["eol"])
    assert ("first" in row) == ("last" in row)
    if "first" in row:
        assert row["first"].startswith(f"{number}.") and row["last"].startswith(f"{number}.")
        assert version_key(row["first"]) <= version_key(row["last"])


def test_cuda_s_releases_and_updates_are_newest_first():
    assert _newest_first(RELEASES)
    assert _newest_first(MAJORS)
    assert all(_newest_first(row["updates"]) for row in RELEASES.values())


@pytest.mark.parametrize("release", list(RELEASES))
def test_a_cuda_release_is_coherent(release):
    row = RELEASES[release]
    assert all(isinstance(update, str) and f"{update}.".startswith(f"{release}.") for update in row["updates"])
    assert row["brings_driver"] is all(row["updates"].values())
    floor = MAJORS.get(_major(release))
    for driver in filter(None, row["updates"].values()):
        assert floor is None or version_key(driver)[0] >= floor["floor_branch"]
    branch = row.get("new_features_from_branch")
    assert branch is None or branch in CATALOGUE.branches


def test_a_newer_cuda_never_needs_an_older_branch():
    branches = [
        max(version_key(driver)[0] for driver in row["updates"].values())
        for row in RELEASES.values()
        if all(row["updates"].values())
    ]
    assert branches == sorted(branches, reverse=True)


@pytest.mark.parametrize("major", list(MAJORS))
def test_the_floor_of_a_major_is_of_its_branch_and_below_every_release(major):
    row = MAJORS[major]
    assert version_key(row["floor"])[0] == row["floor_branch"]
    assert row["floor_branch"] in CATALOGUE.branches


@pytest.mark.parametrize("release", list(RELEASES))
def test_the_span_of_compute_capabilities_is_made_of_known_ones(release):
    span = RELEASES[release]["compute_capabilities"]
    known = {one for row in CATALOGUE.architectures.values() for one in row["compute_capabilities"]}
    assert {span["min"], span["max"], *span.get("without", [])} <= known
    low, high = version_key(span["min"]), version_key(span["max"])
    assert all(low <= version_key(one) <= high for one in span.get("without", []))


def test_nccl_s_builds_are_newest_first_and_of_known_cuda_releases():
    builds = CATALOGUE.nccl["builds"]
    assert _newest_first([row["version"] for row in builds])
    assert len({row["version"] for row in builds}) == len(builds)
    for row in [*builds, *CATALOGUE.nccl["distributions"].values()]:
        assert row["package"].startswith(f"{row['version']}-") and "+" not in row["package"]
        assert row["cuda"] and set(row["cuda"]) <= set(RELEASES)
        assert _newest_first(row["cuda"])
        assert row.get("built_with", row["cuda"][0]) in RELEASES
    assert set(CATALOGUE.nccl["distributions"]) <= set(CATALOGUE.supported())


def test_vllm_s_lines_are_newest_first():
    assert _newest_first(CATALOGUE.vllm)


@pytest.mark.parametrize("line", list(CATALOGUE.vllm))
def test_a_line_of_vllm_is_coherent(line):
    row = CATALOGUE.vllm[line]
    assert _newest_first(row["versions"])
    assert all(VERSION.fullmatch(one) and f"{one}.".startswith(f"{line}.") for one in row["versions"])
    assert row["cuda"] in RELEASES
    assert targets(RELEASES[row["cuda"]], row["compute_capability"])
    low, high = row["python"]
    assert high is None or version_key(low) <= version_key(high)
    assert VERSION.fullmatch(row["torch"]) and VERSION.fullmatch(row.get("glibc", "2.17"))


def test_a_newer_vllm_never_asks_for_less():
    rows = list(CATALOGUE.vllm.values())
    for key in ("cuda", "compute_capability", "torch"):
        values = [version_key(row[key]) for row in rows]
        assert values == sorted(values, reverse=True), key


@pytest.mark.parametrize("major", list(CATALOGUE.vgpu))
def test_vgpu_s_drivers_are_of_its_branch(major):
    row = CATALOGUE.vgpu[major]
    assert row["kind"] in ("LTSB", "PB", None)
    assert row["branch"] in CATALOGUE.branches
    names = list(row["releases"])
    assert names == sorted(names, key=version_key)
    for name, versions in row["releases"].items():
        assert name.startswith(f"{major}.") and versions and set(versions) <= {"host", "guest"}
        assert all(version_key(driver)[0] == row["branch"] for driver in versions.values())


def test_vgpu_s_drivers_never_go_back():
    for row in CATALOGUE.vgpu.values():
        for side in ("host", "guest"):
            keys = [version_key(versions[side]) for versions in row["releases"].values() if side in versions]
            assert keys == sorted(keys)


def test_folders_of_the_repository_are_spelt_as_nvidia_does():
    repositories = yaml.safe_load((HERE / "repositories.yml").read_text(encoding="utf-8"))
    known = {row["folder"] for row in repositories["nvidia"]["platforms"].values()}
    named = {folder for row in RELEASES.values() for folder in row.get("distributions", [])}
    assert named & known
    for folder in (*named, *CATALOGUE.cuda["repositories"]):
        assert re.fullmatch(r"[a-z]+\d+", folder), folder
    for row in CATALOGUE.cuda["repositories"].values():
        assert row["first"] in RELEASES
