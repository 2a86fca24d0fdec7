"""Questions asked of the catalogue's tables."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue_queries import in_repository, targets

CUDA = {
    "repositories": {"debian12": {"first": "12.3"}},
    "releases": {"12.2": {}, "12.5": {"distributions": ["debian12"]}, "12.6": {}},
}
SPAN = {"compute_capabilities": {"min": "5.0", "max": "12.0", "without": ["10.3"]}}


@pytest.mark.parametrize(
    ("row", "capability", "answer"),
    [
        (SPAN, "6.1", True),
        (SPAN, "5.0", True),
        (SPAN, "12.0", True),
        (SPAN, "3.7", False),
        (SPAN, "10.3", False),
        (SPAN, "12.1", False),
        ({"compute_capabilities": {"min": "7.5"}}, "99.0", True),
        (SPAN, "", None),
        ({}, "6.1", None),
    ],
)
def test_a_release_is_made_for_a_span_of_compute_capabilities(row, capability, answer):
    assert targets(row, capability) is answer


@pytest.mark.parametrize(
    ("release", "folder", "answer"),
    [
        ("12.2", "debian12", False),
        ("12.5", "debian12", True),
        ("12.5", "debian13", False),
        ("12.6", "debian12", None),
        ("13.0", "ubuntu2604", None),
    ],
)
def test_a_release_is_in_a_repository_or_not_or_nobody_knows(release, folder, answer):
    assert in_repository(CUDA, release, folder) is answer


def test_pascal_ends_with_cuda_12_and_maxwell_too():
    releases = load().cuda["releases"]
    newest = {
        capability: next(name for name, row in releases.items() if targets(row, capability))
        for capability in ("5.0", "6.1")
    }
    assert {name.split(".")[0] for name in newest.values()} == {"12"}
