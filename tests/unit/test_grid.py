"""Whether a host has the driver of a vGPU guest, and what protects it."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _grid
from tests.unit.fake_system import FakeSystem

GRIDD = {"/usr/bin/nvidia-gridd": ""}
STATUS = """\
Package: nvidia-linux-grid-535
Status: {want} ok installed
Architecture: amd64
Version: 535.161.08
"""
OURS = "Package: cuda-drivers* nvidia-driver* libnvidia-*\nPin: release o=NVIDIA\nPin-Priority: -1\n"


def observe(files, install=None):
    return _grid.observe(FakeSystem(files), install or {"packages": []})


def test_an_ordinary_host():
    assert observe({"/var/lib/dpkg/status": ""}) == {
        "installed": False, "gridd": None, "package": None, "protected_by": [],
    }  # fmt: skip


@pytest.mark.parametrize(("want", "protected"), [("install", []), ("hold", ["hold"])])
def test_the_guest_driver_as_a_package(want, protected):
    seen = observe({**GRIDD, "/var/lib/dpkg/status": STATUS.format(want=want)})
    assert (seen["installed"], seen["gridd"]) == (True, "/usr/bin/nvidia-gridd")
    assert seen["package"] == {"name": "nvidia-linux-grid-535", "version": "535.161.08", "held": want == "hold"}
    assert seen["protected_by"] == protected


def test_the_guest_driver_as_a_runfile():
    seen = observe({**GRIDD, "/var/lib/dpkg/status": "Package: bash\nStatus: install ok installed\nVersion: 5\n"})
    assert (seen["installed"], seen["package"], seen["protected_by"]) == (True, None, [])


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (OURS, True),
        (f"Explanation: x\n{OURS}", True),
        (f"Package: firefox\nPin: version 1\nPin-Priority: 900\n\n{OURS}", True),
        (OURS.replace("-1", "900"), False),
        ("Package: firefox\nPin: version 1\nPin-Priority: -1\n\nPackage: cuda-drivers\nPin-Priority: 1\n", False),
        ("Package: *nvidia*\nPin: release *\nPin-Priority: -10\n", True),
        ("", False),
    ],
)
def test_preferences_that_keep_another_driver_out(text, counts):
    path = "/etc/apt/preferences.d/gpufleet-nvidia-cuda"
    assert observe({**GRIDD, path: text})["protected_by"] == ([path] if counts else [])


def test_locks_of_other_package_managers():
    seen = observe({**GRIDD, "/etc/dnf/plugins/versionlock.list": "# nvidia\nnvidia-driver-0:535.161.08-1.*\n"})
    assert seen["protected_by"] == ["/etc/dnf/plugins/versionlock.list"]
    none = observe({**GRIDD, "/etc/dnf/plugins/versionlock.list": "# nvidia\nkernel-0:6*\n"})
    assert none["protected_by"] == []
