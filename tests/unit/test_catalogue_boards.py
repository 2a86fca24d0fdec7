"""The catalogue's tables of cards and architectures: what each is, its last CUDA and its last vGPU software."""

from __future__ import annotations

import re
import time

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue_queries import targets
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

CATALOGUE = load()
RELEASES = CATALOGUE.cuda["releases"]


@pytest.mark.parametrize("name", list(CATALOGUE.architectures))
def test_an_architecture_ends_with_the_cuda_that_last_knows_it(name):
    """``last_cuda_major`` is told twice: by the architecture and by the releases."""
    row = CATALOGUE.architectures[name]
    ends = row.get("last_cuda_major_by_capability", {})
    for capability in row["compute_capabilities"]:
        majors = {version_key(release)[0] for release, data in RELEASES.items() if targets(data, capability)}
        assert majors, capability
        last = ends.get(capability, row["last_cuda_major"])
        assert max(majors) == (version_key(next(iter(RELEASES)))[0] if last is None else last), capability


def test_a_gpu_s_newest_cuda_has_a_driver_that_still_drives_it():
    for row in CATALOGUE.architectures.values():
        if row["last_cuda_major"] and str(row["last_cuda_major"]) in CATALOGUE.cuda["majors"]:
            assert row["last_branch"] >= CATALOGUE.cuda["majors"][str(row["last_cuda_major"])]["floor_branch"], row[
                "title"
            ]


@pytest.mark.parametrize("device", list(CATALOGUE.boards))
def test_a_board_fits_its_architecture(device):
    row = CATALOGUE.boards[device]
    assert re.fullmatch(r"[0-9a-f]{4}", device)
    assert row["segment"] in ("data_center", "workstation", "geforce", "embedded")
    capabilities = CATALOGUE.architectures[row["architecture"]]["compute_capabilities"]
    assert row.get("compute_capability", capabilities[0]) in capabilities
    memory = row.get("memory_mib", 1024)
    assert isinstance(memory, int) and memory % 1024 == 0 and memory <= 300 * 1024


def test_a_board_s_memory_is_what_its_name_says():
    """A name with one size and a row with another would be a row of the wrong board."""
    for device, row in CATALOGUE.boards.items():
        sizes = re.findall(r"\b(\d+)GB\b", row["name"])
        if len(sizes) == 1 and "memory_mib" in row:
            assert row["memory_mib"] == 1024 * int(sizes[0]), device


@pytest.mark.parametrize(
    ("device", "capability", "memory"),
    [
        ("1b38", "6.1", 24), ("1380", "5.0", None), ("102d", "3.7", 12), ("13bd", "5.0", 8), ("1db6", "7.0", 32),
        ("1eb8", "7.5", 16), ("20b5", "8.0", 80), ("25b6", "8.6", 16), ("27b8", "8.9", 24), ("2335", "9.0", 141),
        ("2342", "9.0", 96), ("2901", "10.0", 180), ("2e12", "12.1", None), ("2bb5", "12.0", 96),
    ],
)  # fmt: skip
def test_boards_that_fleets_have_are_known(device, capability, memory):
    row = CATALOGUE.boards[device]
    assert row["compute_capability"] == capability
    assert row.get("memory_mib") == (memory and memory * 1024)


def test_the_last_vgpu_of_an_architecture_still_has_its_driver():
    for row in CATALOGUE.architectures.values():
        if "last_vgpu" in row:
            assert CATALOGUE.vgpu[row["last_vgpu"]["release"]]["branch"] <= row["last_branch"], row["title"]


def test_all_tables_are_read_within_a_quarter_of_a_second():
    """They are read once in every play that plans; an eighth of that is usual, the rest is for a busy machine."""
    start = time.process_time()
    load.__wrapped__()
    assert time.process_time() - start < 0.25
