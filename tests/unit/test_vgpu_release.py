"""Which guests a host takes: vGPU software releases, not equal numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_release import (
    host_findings,
    release_named,
    release_of_driver,
    takes,
)

CATALOGUE = load()
LINES = sorted(CATALOGUE.vgpu, key=int)
DRIVERS = [pair["guest"] for row in CATALOGUE.vgpu.values() for pair in row["releases"].values() if pair.get("guest")]


@pytest.mark.parametrize(
    ("host", "guest", "code"),
    [
        ("19.2", "580.95.05", None),  # the two drivers' numbers differ, and that is right
        ("16.14", "535.309.01", None),
        ("19.2", "580.82.07", "host_guest_differ"),
        ("16.11", "535.274.02", "host_guest_differ"),
        ("17.6", "535.261.03", "host_guest_older"),
        ("19.0", "570.124.06", "host_guest_older"),
        ("19.0", "535.261.03", "host_guest_older"),  # long-term branch after long-term branch
        ("18.0", "535.261.03", "host_guest_mismatch"),
        ("16.0", "470.256.02", "host_guest_mismatch"),  # long-term branches, and the rule came with 19
        ("20.0", "550.163.01", "host_guest_mismatch"),
        ("16.11", "550.163.01", "host_guest_mismatch"),
        ("15.2", "535.261.03", "host_guest_mismatch"),
        ("9.9", "535.261.03", "host_release_unknown"),
        ("16.11", "999.1.1", "guest_release_unknown"),
        (None, "535.261.03", None),
        ("16.11", None, None),
    ],
)
def test_a_host_takes_what_the_release_notes_say(host, guest, code):
    assert [row["code"] for row in host_findings(host, guest, CATALOGUE)] == ([code] if code else [])


def test_a_refusal_names_the_driver_that_belongs_to_the_host():
    (row,) = host_findings("15.2", "535.261.03", CATALOGUE)
    assert "newer than the host's" in row["text"] and "525.105.17" in row["text"]
    assert row["source"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_guest_driver_of_the_catalogue_is_known_and_taken_by_its_own_release(driver):
    release = release_of_driver(driver, CATALOGUE)
    assert release is not None and release.name is not None
    assert takes(release, release, CATALOGUE) == "same"


@given(st.sampled_from(LINES), st.sampled_from(LINES))
def test_a_guest_that_is_newer_than_its_host_is_never_taken(one, other):
    older, newer = sorted([one, other], key=int)
    verdict = takes(release_named(older, CATALOGUE), release_named(newer, CATALOGUE), CATALOGUE)
    assert (verdict != "no") == (older == newer)


@given(st.text(max_size=12))
def test_no_name_of_a_release_is_a_crash(name):
    release_named(name, CATALOGUE)
    host_findings(name, "535.261.03", CATALOGUE)
