"""The one door to the machine, opened for real on temporary files; and its fake, which must have the same shape."""

from __future__ import annotations

import inspect
import os

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, ModuleSystem, NvidiaError
from tests.unit.fake_system import FakeSystem


@pytest.fixture
def system():
    with patch_module_args({}):
        return ModuleSystem(AnsibleModule({}))


def public(kind):
    return {
        name: list(inspect.signature(member).parameters)
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }


def test_the_fake_has_the_methods_of_the_real_one():
    assert public(FakeSystem) == public(ModuleSystem)


def test_a_program_gets_its_arguments_as_they_are_and_speaks_c(system, monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert system.run(["printf", "%s", "a b; $HOME"]).out == "a b; $HOME"
    shown = system.run(["env"], env={"EXTRA": "1"}).out.splitlines()
    assert "LC_ALL=C" in shown and "EXTRA=1" in shown


def test_a_program_reads_its_data_and_gives_its_code_and_words(system):
    assert system.run(["cat"], data="text").out.strip() == "text"
    result = system.run(["ls", "/does/not/exist"])
    assert result.rc != 0 and "No such file" in result.err


def test_a_missing_program_is_a_result(system):
    result = system.run(["no-such-program-here", "x"])
    assert (result.rc, result.out, result.err) == (127, "", "no-such-program-here: not found")
    assert system.which("no-such-program-here") is None and system.which("/bin/sh") == "/bin/sh"


def test_a_program_that_takes_too_long_is_stopped(system):
    with pytest.raises(CommandTimeout, match=r"sleep 60 did not end within 0\.2 s"):
        system.run(["sleep", "60"], timeout=0.2)


def test_what_is_not_there_is_a_value(system, tmp_path):
    gone = str(tmp_path / "gone")
    assert [
        system.read(gone),
        system.read_bytes(gone),
        system.link(gone),
        system.modified(gone),
        system.stat(gone),
    ] == [None] * 5
    assert (system.entries(gone), system.exists(gone)) == ([], False)
    system.remove(gone)


def test_a_file_is_written_whole_with_its_mode_and_folders(system, tmp_path):
    path = str(tmp_path / "a" / "b.conf")
    system.write(path, "eins\n", mode=0o640)
    system.write(path, "zwei\n", mode=0o600)
    assert system.read(path) == "zwei\n"
    assert system.stat(path) == (0o600, os.getuid(), os.getgid())
    assert system.entries(os.path.dirname(path)) == ["b.conf"]
    system.remove(path)
    assert not system.exists(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_does_not_hand_on_its_group_and_a_file_is_given_back(system, tmp_path):
    os.chown(tmp_path, 0, 65534)
    tmp_path.chmod(0o2775)
    path = str(tmp_path / "b.conf")
    system.write(path, "eins\n")
    assert system.stat(path) == (0o644, os.getuid(), os.getgid())
    system.own(path, 65534, 65534)
    assert system.stat(path)[1:] == (65534, 65534)
    with pytest.raises(NvidiaError, match=r"Cannot change the owner of .*gone"):
        system.own(str(tmp_path / "gone"), 0, 0)


def test_bytes_are_written_as_they_are_into_a_folder_of_its_own(system, tmp_path):
    path = str(tmp_path / "private" / "key.der")
    system.folder(os.path.dirname(path), mode=0o700)
    system.folder(os.path.dirname(path), mode=0o750)
    assert system.stat(os.path.dirname(path))[0] == 0o750
    system.write(path, b"\x00\xff")
    assert system.read_bytes(path) == b"\x00\xff"


def test_bytes_that_are_no_text_are_replaced(system, tmp_path):
    (tmp_path / "x").write_bytes(b"a\xff")
    assert system.read(str(tmp_path / "x")) == "a\ufffd"
    assert system.read_bytes(str(tmp_path / "x"), limit=1) == b"a"


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(system, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert system.read(str(tmp_path / "pipe")) is None


def test_a_link_is_made_over_an_older_one(system, tmp_path):
    path = str(tmp_path / "link")
    system.symlink("/one", path)
    system.symlink("/two", path)
    assert (system.link(path), system.real(path), system.exists(path)) == ("/two", "/two", True)


@pytest.mark.parametrize("deed", ["write", "symlink", "folder"])
def test_what_cannot_be_written_is_told_with_its_place(system, tmp_path, deed):
    (tmp_path / "file").write_text("", encoding="utf-8")
    path = str(tmp_path / "file" / "below")
    with pytest.raises(NvidiaError, match=f"{path}.*file system"):
        {"write": system.write, "symlink": lambda place, _text: system.symlink("/x", place)}.get(
            deed, lambda place, _text: system.folder(place)
        )(path, "x")


def test_what_cannot_be_removed_is_told_with_its_place(system, tmp_path):
    with pytest.raises(NvidiaError, match=str(tmp_path)):
        system.remove(str(tmp_path))
