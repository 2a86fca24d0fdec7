from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._kernel import (
    next_kernel,
    observe,
    version_key,
)
from tests.unit.fake_system import FakeSystem

OLD, NEW = "6.1.0-9-amd64", "6.1.0-41-amd64"


def test_releases_are_compared_as_numbers():
    assert max(["6.1.0-9-amd64", "6.1.0-10-amd64", "5.10.0-30-amd64"], key=version_key) == "6.1.0-10-amd64"


@given(st.lists(st.text(min_size=1)))
def test_any_names_can_be_sorted(names):
    once = sorted(names, key=version_key)
    assert [version_key(name) for name in once] == sorted(version_key(name) for name in names)


@pytest.mark.parametrize(
    ("default", "environment", "expected"),
    [
        ("0", {}, (NEW, "newest")),
        (f"Advanced options>Debian GNU/Linux, with Linux {OLD}", {}, (OLD, "grub")),
        ("saved", {"saved_entry": f"gnulinux-{OLD}-advanced-0f"}, (OLD, "grub")),
        ("saved", {}, (NEW, "newest")),
        ("0", {"next_entry": f"gnulinux-{OLD}-advanced-0f"}, (OLD, "grub")),
        ("0", {"saved_entry": f"gnulinux-{OLD}"}, (NEW, "newest")),
    ],
)
def test_the_kernel_that_boots_next(default, environment, expected):
    assert next_kernel([OLD, NEW], [], default, environment) == expected


def test_without_an_installed_kernel_nothing_boots_next():
    assert next_kernel([], [], "0", {}) == (None, None)


def test_headers_and_initramfs_are_seen_for_each_kernel():
    files = {
        "/proc/sys/kernel/osrelease": f"{OLD}\n",
        f"/lib/modules/{OLD}/modules.dep": "",
        f"/lib/modules/{NEW}/modules.dep": "",
        f"/lib/modules/{NEW}/build/Makefile": "",
        f"/boot/vmlinuz-{OLD}": "",
        f"/boot/vmlinuz-{NEW}": "",
        f"/boot/initrd.img-{NEW}": "",
    }
    seen = observe(FakeSystem(files))
    assert (seen["running"], seen["next"], seen["next_source"]) == (OLD, NEW, "newest")
    assert [(row["release"], row["image"], row["headers"]) for row in seen["installed"]] == [
        (OLD, True, False),
        (NEW, True, True),
    ]
    assert [row["initramfs"] for row in seen["installed"]] == [None, f"/boot/initrd.img-{NEW}"]


def test_a_container_runs_a_kernel_that_is_not_installed_here():
    seen = observe(FakeSystem({"/proc/sys/kernel/osrelease": "6.18.44-outer\n"}))
    assert (seen["running"], seen["next"], seen["next_source"], seen["installed"]) == (
        "6.18.44-outer",
        "6.18.44-outer",
        "running",
        [],
    )
