"""What is left when the role has taken everything away: nothing of its own, and no device."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "path",
    [
        "/etc/gpufleet/vgpu-host.json",
        "/etc/systemd/system/gpufleet-vgpu-restore.service",
        "/etc/systemd/system/multi-user.target.wants/gpufleet-vgpu-restore.service",
        "/usr/local/lib/gpufleet/vgpu-restore/__main__.py",
    ],
)
def test_it_is_gone(host, path):
    assert not host.file(path).exists


def test_no_device_runs_or_is_defined(host):
    assert host.check_output("mdevctl list; mdevctl list --defined") == ""
