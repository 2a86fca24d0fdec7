"""The catalogue's data: every row has a source, and the tables agree with each other."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import HERE, TABLES, load

CATALOGUE = load()


def _rows():
    for table in ("architectures", "boards", "branches", "vllm", "vgpu"):
        for key, row in getattr(CATALOGUE, table).items():
            yield f"{table}/{key}", row
    for part in ("majors", "releases"):
        for key, row in CATALOGUE.cuda[part].items():
            yield f"cuda/{key}", row
    for row in CATALOGUE.nccl["builds"]:
        yield f"nccl/{row['package']}", row
    for key, row in CATALOGUE.nccl["distributions"].items():
        yield f"nccl/{key}", row
    for family in CATALOGUE.platforms:
        yield family["title"], family
        for release, data in family["releases"].items():
            for offer in data["offers"]:
                yield f"{family['title']} {release} {offer['series']}", offer


@pytest.mark.parametrize(("name", "row"), list(_rows()))
def test_every_row_names_sources_that_exist(name, row):
    assert row["src"], name
    assert set(row["src"]) <= set(CATALOGUE.sources), name


def test_every_board_has_a_known_architecture():
    assert {row["architecture"] for row in CATALOGUE.boards.values()} <= set(CATALOGUE.architectures)


def test_every_offered_branch_is_in_the_table_of_branches():
    offered = {
        offer["branch"] or offer["branch_min"]
        for family in CATALOGUE.platforms
        for data in family["releases"].values()
        for offer in data["offers"]
    }
    assert offered <= set(CATALOGUE.branches)


def test_a_recorded_version_is_of_its_branch():
    for name, row in _rows():
        if row.get("version") and "branch" in row:
            assert row["version"].startswith(f"{row['branch']}."), name


def test_a_branch_without_proprietary_modules_is_offered_open_alone():
    for family in CATALOGUE.platforms:
        for release in family["releases"]:
            for offer in CATALOGUE.platform(family["distributions"][0], release)["offers"]:
                if CATALOGUE.branches.get(offer["branch"], {}).get("open_modules_only"):
                    flavours = {flavour for build in offer["builds"].values() for flavour in build}
                    assert flavours == {"open"}, (family["title"], release, offer["series"])


def test_no_transitional_name_is_offered():
    for family in CATALOGUE.platforms:
        for data in family["releases"].values():
            offered = {str(offer["series"]) for offer in data["offers"]}
            # 615 itself is transitional to 615-open: the series is offered, in the open flavour alone.
            moved = {name for name in data.get("transitional", {}) if not data["transitional"][name].startswith(name)}
            assert not offered & moved


@pytest.mark.parametrize(
    ("distribution", "version", "name"),
    [
        ("debian", "12", "Debian 12"),
        ("debian", "13", "Debian 13"),
        ("debian", "11", None),
        ("ubuntu", "24.04", "Ubuntu 24.04"),
        ("ubuntu", "24.10", None),
        ("rocky", "9.6", "RHEL 9"),
        ("rhel", "10.0", "RHEL 10"),
        ("almalinux", "8.10", "RHEL 8"),
        ("sles", "15.7", "SLES 15"),
        ("arch", None, "Arch Linux"),
        ("gentoo", "2.17", None),
        (None, None, None),
    ],
)
def test_a_platform_is_found_by_distribution_and_release(distribution, version, name):
    platform = CATALOGUE.platform(distribution, version)
    assert (platform and platform["name"]) == name


def test_rolling_releases_are_named_without_a_number():
    assert "Arch Linux" in CATALOGUE.supported()


def test_a_citation_names_title_and_address():
    assert (
        CATALOGUE.cite(["instsrc"])
        == "NVIDIA/nvidia-installer 590.48.01, source (https://github.com/NVIDIA/nvidia-installer)"
    )


def _cited(data):
    """Every id in any ``src`` or ``cuda_src`` of the data, however deep it lies."""
    if isinstance(data, dict):
        yield from (*data.get("src", []), *data.get("cuda_src", []))
        data = list(data.values())
    if isinstance(data, list):
        for each in data:
            yield from _cited(each)


def test_every_source_is_used_and_every_used_one_is_there():
    used = {name for path in HERE.rglob("*.yml") for name in _cited(yaml.safe_load(path.read_text(encoding="utf-8")))}
    assert used == set(CATALOGUE.sources)


def test_every_table_is_read():
    """Tables that a module of their own reads are named here as well."""
    own = {"cuda_distributions", "nccl_thresholds", "repositories", "vllm_flags"}
    assert {path.stem for path in HERE.glob("*.yml")} == {*TABLES, *own}
