"""Many small files: what differs is written, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._managed_files import ensure, parse_mode
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from tests.unit.fake_system import FakeSystem


def file(path="/etc/a", content="x\n", mode="0644", state="present"):
    return {"path": path, "content": content, "mode": mode, "state": state}


@pytest.mark.parametrize(
    ("files", "modes", "wanted", "steps"),
    [
        ({}, {}, file(), ["Create /etc/a"]),
        ({"/etc/a": "x\n"}, {}, file(), []),
        ({"/etc/a": "y\n"}, {}, file(), ["Change /etc/a"]),
        ({"/etc/a": "x\n"}, {"/etc/a": 0o600}, file(), ["Set the mode of /etc/a to 0644"]),
        ({"/etc/a": "x\n"}, {}, file(state="absent", content=None), ["Remove /etc/a"]),
        ({}, {}, file(state="absent", content=None), []),
    ],
)
def test_steps_are_the_same_in_check_mode(files, modes, wanted, steps):
    system = FakeSystem(files)
    system.modes = modes
    predicted = ensure({"files": [wanted]}, system, apply=False)
    assert (predicted["steps"], system.wrote, system.removed) == (steps, {}, [])
    assert ensure({"files": [wanted]}, system, apply=True) == predicted
    assert predicted["changed"] is bool(steps)
    assert ensure({"files": [wanted]}, system, apply=True)["changed"] is False


@pytest.mark.parametrize(
    ("owner", "words", "paths"),
    [
        ((7, 0), "user 7", ["/etc/a"]),
        ((7, 65534), "user 7, group 65534", ["/etc/a"]),
        ((0, 65534), "group 65534", []),  # it is given back as it is, and whoever reads it has nothing to do
    ],
)
def test_a_file_of_another_user_or_group_is_taken_back(owner, words, paths):
    system = FakeSystem({"/etc/a": "x\n"})
    system.owners = {"/etc/a": owner}
    result = ensure({"files": [file()]}, system, apply=False)
    assert result["steps"] == [f"Take /etc/a back from {words}"]
    assert result["diff"][0]["before_header"] == f"/etc/a (mode 0644, {words})"
    assert result["diff"][0]["after_header"] == "/etc/a (mode 0644)"
    assert not system.wrote and ensure({"files": [file()]}, system, apply=True) == result
    assert (list(system.wrote), system.stat("/etc/a")) == (paths, (0o644, 0, 0))
    assert (result["changed_paths"], result["changed_contents"]) == (["/etc/a"], [])
    assert not ensure({"files": [file()]}, system, apply=True)["changed"]


def test_a_file_belongs_to_the_one_that_the_module_runs_as():
    system = FakeSystem({"/etc/a": "x\n"})
    system.owners = {"/etc/a": (1000, 1000)}
    assert not ensure({"files": [file()]}, system, apply=True, owner=(1000, 1000))["changed"]
    assert ensure({"files": [file()]}, system, apply=False)["changed"]


def test_the_diff_has_an_entry_for_each_file_that_changes():
    system = FakeSystem({"/etc/a": "old\n", "/etc/b": "same\n"})
    result = ensure({"files": [file(content="new\n"), file("/etc/b", "same\n"), file("/etc/c")]}, system, apply=False)
    assert result["changed_paths"] == ["/etc/a", "/etc/c"]
    assert result["diff"] == [
        {
            "before_header": "/etc/a (mode 0644)",
            "after_header": "/etc/a (mode 0644)",
            "before": "old\n",
            "after": "new\n",
        },
        {"before_header": "/etc/c (absent)", "after_header": "/etc/c (mode 0644)", "before": "", "after": "x\n"},
    ]


def test_what_changes_in_owner_or_mode_alone_is_told_apart():
    system = FakeSystem({"/etc/a": "x\n", "/etc/b": "old\n", "/etc/d": "x\n"})
    system.modes = {"/etc/a": 0o666}
    files = [file(), file("/etc/b"), file("/etc/c"), file("/etc/d", state="absent")]
    result = ensure({"files": files}, system, apply=False)
    assert result["changed_paths"] == ["/etc/a", "/etc/b", "/etc/c", "/etc/d"]
    assert result["changed_contents"] == ["/etc/b", "/etc/c", "/etc/d"]


def test_a_symbolic_link_is_replaced():
    system = FakeSystem({"/usr/lib/a": "x\n"}, {"/etc/a": "/usr/lib/a"})
    assert ensure({"files": [file()]}, system, apply=False)["steps"] == ["Change /etc/a"]


@pytest.mark.parametrize(
    ("files", "part"),
    [
        ([file("etc/a")], "not the absolute path"),
        ([file("/etc/a/")], "not the absolute path"),
        ([file(), file()], "listed twice"),
        ([file(content=None)], "no content"),
        ([file(mode="rw-r--r--")], "octal"),
        ([file(mode="99999")], "octal"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(files, part):
    system = FakeSystem()
    with pytest.raises(NvidiaError, match=part):
        ensure({"files": files}, system, apply=True)
    assert system.wrote == {}


@given(st.integers(0, 0o7777))
def test_modes_survive(mode):
    assert parse_mode(f"{mode:04o}") == mode
