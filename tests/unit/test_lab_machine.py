"""What the simulator reads from a host's disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.lab.simulator import machine


def put(root: Path, name: str, text: str = "") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_newest_kernel_is_the_one_that_boots(tmp_path: Path) -> None:
    for release in ("6.1.0-9-amd64", "6.1.0-56-amd64", "6.1.0-50-amd64"):
        put(tmp_path, f"boot/vmlinuz-{release}")
    assert machine.kernel(tmp_path) == "6.1.0-56-amd64"
    assert machine.kernel(tmp_path / "boot") is None


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("updates/dkms/nvidia-current.ko", True),
        ("updates/dkms/nvidia-current.ko.xz", True),
        ("updates/dkms/nvidia.ko.zst", True),
        ("kernel/drivers/video/nvidia.ko", True),
        ("updates/dkms/nvidia-tesla-535.ko", True),
        ("updates/dkms/nvidia-current-drm.ko", False),
        ("updates/dkms/nvidia-uvm.ko", False),
        ("kernel/drivers/net/nvidia.ko", False),
    ],
)
def test_which_files_are_the_drivers_module(tmp_path: Path, name: str, found: bool) -> None:
    put(tmp_path, f"lib/modules/6.1/{name}")
    assert (machine.module_file("6.1", tmp_path) is not None) == found


@pytest.mark.parametrize(
    ("text", "barred"),
    [
        ("blacklist nouveau\n", True),
        ("# blacklist nouveau\n", False),
        ("  blacklist   nouveau  \n", True),
        ("install nouveau /bin/false\n", True),
        ("alias nouveau off\n", True),
        ("blacklist nouveau_vieux\n", False),
        ("options nouveau modeset=0\n", False),
    ],
)
def test_what_keeps_nouveau_from_loading(text: str, barred: bool) -> None:
    assert machine.bars(text, "nouveau") == barred


def test_a_file_in_etc_hides_one_of_its_name_in_lib(tmp_path: Path) -> None:
    put(tmp_path, "usr/lib/modprobe.d/nvidia.conf", "blacklist nouveau\n")
    assert machine.barring_files("nouveau", tmp_path) != []
    put(tmp_path, "etc/modprobe.d/nvidia.conf", "")
    assert machine.barring_files("nouveau", tmp_path) == []


def test_a_blacklist_counts_only_when_the_initramfs_was_built_after_it(tmp_path: Path) -> None:
    blacklist = put(tmp_path, "etc/modprobe.d/b.conf", "blacklist nouveau\n")
    initramfs = put(tmp_path, "boot/initrd.img-6.1")
    before, after = blacklist.stat().st_ctime - 60, blacklist.stat().st_ctime + 60
    os.utime(initramfs, (before, before))
    assert not machine.in_initramfs([blacklist], initramfs)
    os.utime(initramfs, (after, after))
    assert machine.in_initramfs([blacklist], initramfs)
    assert not machine.in_initramfs([], initramfs)
    assert machine.in_initramfs([blacklist], tmp_path / "boot/none")


@pytest.mark.parametrize(("license_text", "flavour"), [("Dual MIT/GPL", "open"), ("NVIDIA", "proprietary")])
def test_the_flavour_follows_from_the_licence(license_text: str, flavour: str) -> None:
    assert machine.flavour_of(license_text) == flavour


def test_the_version_of_a_library_is_in_the_name_of_its_file(tmp_path: Path) -> None:
    put(tmp_path, "usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-ml.so.535.309.01")
    link = tmp_path / "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"
    link.symlink_to("nvidia/current/libnvidia-ml.so.535.309.01")
    assert machine.library_version("libnvidia-ml.so", tmp_path) == "535.309.01"
    assert machine.library_version("libnvidia-cfg.so", tmp_path) is None
