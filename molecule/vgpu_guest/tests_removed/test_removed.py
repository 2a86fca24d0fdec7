"""What is left when the role has taken everything away: nothing of its own."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "path",
    [
        "/usr/bin/nvidia-gridd",
        "/etc/nvidia/gridd.conf",
        "/etc/apt/preferences.d/gpufleet-nvidia-guest",
        "/etc/modprobe.d/gpufleet-nvidia-guest.conf",
        "/etc/systemd/system/nvidia-gridd.service",
        "/lib/systemd/system/nvidia-gridd.service",
    ],
)
def test_it_is_gone(host, path):
    assert not host.file(path).exists


def test_no_token_is_left(host):
    folder = host.file("/etc/nvidia/ClientConfigToken")
    assert not folder.exists or folder.listdir() == []


def test_the_licence_was_given_back(host):
    lines = host.check_output("journalctl --unit nvidia-gridd --boot --output cat --no-pager")
    assert "License returned successfully" in lines


def test_the_build_tools_stay(host):
    assert host.package("dkms").is_installed


def test_other_drivers_may_come_again(host):
    assert "Inst libcuda1" in host.check_output("apt-get -s install libcuda1")
