from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _dpkg, _packages_table
from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver_install import (
    is_locked,
    observe,
    parse_dpkg_status,
    parse_pacman,
    parse_rpm,
)
from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver_names import is_driver
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem

STATUS = "/var/lib/dpkg/status"


def test_driver_packages_are_read_with_their_holds_and_states():
    rows = {row["name"]: row for row in parse_dpkg_status(fixture("dpkg/bookworm-status.txt"))}
    assert set(rows) == {"nvidia-kernel-dkms", "libnvidia-ml1", "nvidia-persistenced"}
    assert rows["nvidia-kernel-dkms"]["held"] and not rows["libnvidia-ml1"]["held"]
    assert rows["libnvidia-ml1"]["source"] == "nvidia-graphics-drivers"
    assert rows["nvidia-persistenced"]["state"] == "half-configured"


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("nvidia-smi", "nvidia-graphics-drivers", True),
        ("libcuda1", "nvidia-graphics-drivers", True),
        ("firmware-nvidia-gsp", "nvidia-graphics-drivers", True),
        ("nvidia-tesla-470-kernel-dkms", "nvidia-graphics-drivers-tesla-470", True),
        ("linux-modules-nvidia-580-server-generic", "linux-restricted-modules", True),
        ("kmod-nvidia-open-dkms", "", True),
        ("nvidia-open-dkms", "", True),
        ("nvidia-cuda-toolkit", "nvidia-cuda-toolkit", False),
        ("nvidia-container-toolkit", "", False),
        ("cuda-compat-13-0", "nvidia-graphics-drivers-580", False),
        ("libxnvctrl0", "nvidia-settings", False),
        ("nvidia-kernel-common", "nvidia-support", True),
        ("nvidia-installer-cleanup", "nvidia-support", True),
        ("nvidia-cuda-mps", "nvidia-graphics-drivers", True),
        ("nvidia-driver-pinning-580", "nvidia-driver-pinning-580", True),
        ("libnvidia-compute", "nvidia-driver", True),
        ("libnvidia-egl-wayland1", "egl-wayland", False),
        ("libnvidia-container1", "libnvidia-container", False),
        ("libnvidia-ml-dev", "nvidia-cuda-toolkit", False),
        ("nvidia-fs-dkms", "nvidia-fs", False),
        ("python3-pynvml", "nvidia-ml-py", False),
        ("x11-video-nvidiaG05", "", False),
        ("nvidia-open-driver-G06-signed-cuda-kmp-default", "", True),
        ("opencl-nvidia", "", True),
        ("libcuda1:i386", "", True),
        ("linux-image-amd64", "linux-signed-amd64", False),
    ],
)
def test_what_belongs_to_the_driver(name, source, expected):
    assert is_driver(name, source) is expected


def test_facts_and_holds_count_the_same_packages():
    """Three readers, one definition: what is held is what is shown."""
    status = fixture("dpkg/bookworm-status.txt")
    shown = {row["name"] for row in parse_dpkg_status(status)}
    rows = [(row["name"], row["source"]) for row in parse_dpkg_status(status)]
    text = "".join(f"{name}\tamd64\t1-1\t{source}\tinstall\tinstalled\n" for name, source in rows)
    assert set(_dpkg.closure(_dpkg.parse_packages(text))) == shown
    assert set(_packages_table.closure({name: ("1-1", source) for name, source in rows})) == shown


def test_rpm_packages_are_held_by_versionlock_of_either_dnf():
    text = "nvidia-driver-cuda 580.95.05-1.el9 nvidia-driver-580.src.rpm\nbash 5.1-1 bash.src.rpm\n"
    assert [row["held"] for row in parse_rpm(text, "nvidia-driver-cuda-3:580.95.05-1.el9.*")] == [True]
    assert [row["held"] for row in parse_rpm(text, 'name = "nvidia-driver-cuda"')] == [True]
    assert [row["held"] for row in parse_rpm(text, "")] == [False]


@pytest.mark.parametrize(
    ("lock", "held"),
    [
        ("nvidia-driver-3:580.95.05-1.el9.*", True),
        ("nvidia-driver-cuda-3:580.95.05-1.el9.*", False),
        ("!nvidia-driver-3:580.95.05-1.el9.*", False),
        ("*nvidia*580*", True),
        ("*nvidia*535*", False),
        ("# nvidia-driver", False),
        ('name = "nvidia-driver"', True),
        ("solvable_name: nvidia-*", True),
        ("solvable_name: kernel-default", False),
    ],
)
def test_a_lock_holds_what_it_names_and_no_more(lock, held):
    assert is_locked("nvidia-driver", "580.95.05-1.el9", f"type: package\n{lock}\n") is held


DPKG = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21\n\n"
LIBRARY = "Package: libcuda1\nStatus: {status}\nArchitecture: {architecture}\nVersion: 535.261.03-1\n\n"


def test_a_foreign_architecture_is_in_the_name():
    texts = [LIBRARY.format(status="install ok installed", architecture=name) for name in ("amd64", "i386")]
    assert [row["name"] for row in parse_dpkg_status(DPKG + "".join(texts))] == ["libcuda1", "libcuda1:i386"]


@pytest.mark.parametrize(
    ("status", "states"),
    [
        ("install ok installed", ["installed"]),
        ("install ok triggers-awaited", ["installed"]),
        ("install ok half-configured", ["half-configured"]),
        ("deinstall ok config-files", []),
        ("unknown ok not-installed", []),
    ],
)
def test_what_is_no_longer_there_is_no_package(status, states):
    text = LIBRARY.format(status=status, architecture="amd64")
    assert [row["state"] for row in parse_dpkg_status(text)] == states


def test_pacman_holds_by_ignorepkg():
    text = "nvidia-utils 580.95.05-1\nbash 5.3-1\n"
    (row,) = parse_pacman(text, "# IgnorePkg = x\nIgnorePkg   = linux nvidia-utils\n")
    assert row["held"] is True


@given(st.text())
def test_no_text_breaks_the_package_parsers(text):
    parse_dpkg_status(text)
    parse_rpm(text, text)
    parse_pacman(text, text)
    is_locked(text, text, text)


@pytest.mark.parametrize(
    ("files", "method"),
    [
        ({}, "none"),
        ({STATUS: fixture("dpkg/bookworm-status.txt")}, "packages"),
        ({"/usr/bin/nvidia-uninstall": ""}, "runfile"),
        ({STATUS: fixture("dpkg/bookworm-status.txt"), "/usr/bin/nvidia-uninstall": ""}, "mixed"),
    ],
)
def test_the_install_method(files, method):
    assert observe(FakeSystem(files), "apt")["method"] == method


def test_the_uninstaller_may_be_a_link_to_the_installer():
    links = {"/usr/bin/nvidia-uninstall": "nvidia-installer"}
    found = observe(FakeSystem({"/usr/bin/nvidia-installer": ""}, links), "apt")
    assert found["runfile"]["uninstaller"] == "/usr/bin/nvidia-uninstall"


def test_the_runfile_s_version_is_in_its_log():
    log = "nvidia-installer log file\n-> Installing NVIDIA driver version 535.54.03.\n"
    found = observe(FakeSystem({"/usr/bin/nvidia-installer": "", "/var/log/nvidia-installer.log": log}), "apt")
    assert found["runfile"] == {"uninstaller": "/usr/bin/nvidia-installer", "version": "535.54.03"}


def test_the_installer_s_own_list_counts_more_than_its_log():
    files = {
        "/usr/bin/nvidia-installer": "",
        "/var/log/nvidia-installer.log": "-> Installing NVIDIA driver version 580.159.04.\n",
        "/var/lib/nvidia/log": "1.0-5355403 (535.54.03)\n0: /usr/bin/nvidia-smi\n",
    }
    assert observe(FakeSystem(files), "apt")["runfile"]["version"] == "535.54.03"
