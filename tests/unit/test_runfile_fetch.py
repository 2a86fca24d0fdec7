"""The download: what it leaves, and what it says when it fails."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.modules.runfile import fetch


def test_a_file_is_fetched_whole_and_for_root_alone(tmp_path):
    source, target = tmp_path / "a.run", tmp_path / "b.run"
    source.write_bytes(bytes(range(256)) * 8192)
    fetch(source.as_uri(), str(target), 60)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_failure_names_the_address_without_its_secrets(tmp_path):
    with pytest.raises(NvidiaError) as failure:
        fetch("http://user:password@127.0.0.1:9/a.run?token=hidden", str(tmp_path / "b.run"), 60)
    told = str(failure.value)
    assert "127.0.0.1:9/a.run cannot be downloaded" in told
    assert "hidden" not in told and "password" not in told


def test_a_download_that_takes_too_long_is_given_up(tmp_path):
    (tmp_path / "a.run").write_bytes(b"x" * 3 * 1024 * 1024)
    with pytest.raises(NvidiaError, match="was not downloaded within 2 s"):
        fetch((tmp_path / "a.run").as_uri(), str(tmp_path / "b.run"), 2, clock=itertools.count().__next__)
