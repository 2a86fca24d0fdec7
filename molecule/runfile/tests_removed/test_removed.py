"""After the removal: nothing of what stand-ins brought is left."""

from __future__ import annotations

import pytest

from tests import evidence


@pytest.mark.parametrize(
    "path",
    [
        "/usr/bin/nvidia-installer",
        "/usr/bin/nvidia-uninstall",
        "/usr/bin/nvidia-vgpu-mgr",
        "/var/lib/nvidia",
        "/usr/local/cuda-12.6",
        "/usr/local/cuda",
        "/opt/cuda/12.9",
    ],
)
def test_it_is_gone(host, path):
    assert not host.file(path).exists


def test_no_kernel_module_is_left(host):
    for name in ("nvidia.ko*", "nvidia-uvm.ko*", "nvidia-drm.ko*"):
        assert host.check_output(f"find /lib/modules -name '{name}'") == ""
    assert host.run("ls /var/lib/dkms/nvidia/5*").rc != 0


def test_nothing_is_kept(host):
    assert host.check_output("ls /var/lib/gpufleet/runfiles") == "installed.json"


def test_the_facts_see_no_driver(host):
    assert evidence.facts(host)["driver"]["install"]["method"] == "none"
