"""Versions and holds of packages, from the books of each package manager."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._record_packages import (
    observe,
    parse_pacman,
    parse_rpm,
    parse_status,
)
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import Result
from tests.unit.fake_system import FakeSystem

UNREADABLE = {"unreadable": True}


def block(name, architecture, status="install ok installed", version="1-1", more=""):
    return f"Package: {name}\nStatus: {status}\n{more}Architecture: {architecture}\nVersion: {version}\n"


def test_a_name_is_of_the_machine_s_own_architecture_or_of_all():
    text = "\n".join([block("a", "i386", version="2"), block("a", "arm64", version="3"), block("dpkg", "arm64")])
    text += "\n" + block("b", "all", version="4")
    found = parse_status(text, ["a", "a:arm64", "a:i386", "b", "b:arm64", "a:amd64"])
    assert {name: row and row["version"] for name, row in found.items()} == {
        "a": "3",
        "a:arm64": "3",
        "a:i386": "2",
        "b": "4",
        "b:arm64": "4",
        "a:amd64": None,
    }


def test_a_field_of_another_package_is_not_taken_for_its_own():
    text = block("dpkg", "amd64") + "\n" + block("a", "amd64", more="Depends: b\nDescription: x\n Version: 9\n\n"[:-1])
    text += "\n" + block("b", "amd64", version="2")
    assert parse_status(text, ["a", "b"]) == {
        "a": {"version": "1-1", "held": False},
        "b": {"version": "2", "held": False},
    }


def test_books_that_cannot_be_read_vouch_for_nothing():
    assert observe(FakeSystem(), "apt", ["a"]) == {"a": UNREADABLE}
    assert observe(FakeSystem(), None, ["a"]) == {"a": UNREADABLE}
    assert observe(FakeSystem(), "dnf", ["a"]) == {"a": UNREADABLE}, "there is no rpm"
    assert observe(FakeSystem(), "dnf", []) == {}


def test_rpm_is_asked_once_and_its_locks_are_holds():
    out = "a x86_64 535.1-1.el9\na i686 535.1-1.el9\nkernel x86_64 5.1-1\nkernel x86_64 5.2-1\n"
    out += "package c is not installed\n"
    system = FakeSystem(
        {"/etc/dnf/plugins/versionlock.list": "a-0:535.1-1.el9.*\n"}, commands={("rpm", "-q"): Result(1, out, "")}
    )
    assert observe(system, "dnf", ["a", "a:i686", "kernel", "c"]) == {
        "a": {"version": "535.1-1.el9", "held": True},
        "a:i686": {"version": "535.1-1.el9", "held": True},
        "kernel": {"version": "5.1-1, 5.2-1", "held": False},
        "c": None,
    }
    assert len(system.ran) == 1 and system.ran[0][-4:] == ["a", "a.i686", "kernel", "c"]


@pytest.mark.parametrize(("locks", "held"), [("solvable_name: a\n", True), ("solvable_name: b\n", False)])
def test_zypper_s_locks_are_holds(locks, held):
    assert parse_rpm("a x86_64 1-1\n", ["a"], locks)["a"]["held"] is held


def test_pacman_s_folders_and_ignored_packages():
    found = parse_pacman(
        ["nvidia-open-580.1-3", "cuda-13.0.1-1"], ["cuda", "nvidia-open", "nccl"], "IgnorePkg = cuda\n"
    )
    assert found == {
        "cuda": {"version": "13.0.1-1", "held": True},
        "nvidia-open": {"version": "580.1-3", "held": False},
        "nccl": None,
    }


@given(st.text(), st.lists(st.text(min_size=1)))
def test_no_text_breaks_the_parsers(text, names):
    for found in (parse_status(text, names), parse_rpm(text, names, text), parse_pacman([text], names, text)):
        assert set(found) == set(names)
