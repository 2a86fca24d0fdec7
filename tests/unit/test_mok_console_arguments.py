"""What mok_console is asked, how a boot ends that no key of its ended, and the host at the other end."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import mok_endings, mok_host
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_arguments import console_of, expected_of, password_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_endings import Seen
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_host import Host, HostError
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_moves import State, Verdict


@pytest.mark.parametrize(
    ("screens", "sign", "outcome"),
    [
        ((), "linux", "not_seen"),
        ((), "restart", None),
        ((), "login", None),
        (("countdown",), "grub", "dismissed"),
        (("countdown", "menu"), "linux", "surprise"),
        (("countdown", "menu"), "restart", "surprise"),
    ],
)
def test_how_a_boot_ends_that_was_not_ours(screens, sign, outcome):
    verdict = mok_endings.ended(State(), Seen(screens, False, True), sign)
    assert (verdict.outcome if verdict else None) == outcome


def test_a_line_that_is_lost_after_the_last_key_changes_nothing():
    won = Verdict("enrolled", "x")
    assert mok_endings.lost(State(verdict=won, left=True), Seen(("menu",), True, True), "gone") == won
    assert mok_endings.lost(State(verdict=won), Seen(("menu",), True, True), "gone").outcome == "surprise"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "none of them"),
        ({"tcp": "a:1", "socket": "/x"}, "tcp and socket"),
        ({"tcp": "nowhere"}, "host:port"),
        ({"tcp": "a:99999"}, "host:port"),
        ({"socket": "relative"}, "whole path"),
        ({"command": 'ipmitool "sol'}, "quotation mark"),
    ],
)
def test_a_console_that_makes_no_sense_is_a_sentence(asked, says):
    with pytest.raises(ValueError, match=says):
        console_of(asked)


def test_a_command_is_a_list_or_a_text():
    words = ["virsh", "console", "gpu 7"]
    assert console_of({"command": words})["command"] == words
    assert console_of({"command": "virsh console 'gpu 7'"})["command"] == words


@pytest.mark.parametrize("word", ["", "päss", "two words", "x" * 257])
def test_a_password_that_cannot_be_typed_is_a_sentence_without_it(word):
    with pytest.raises(ValueError) as caught:
        password_of(word)
    assert not word or word not in str(caught.value)


@pytest.mark.parametrize("key", ["AB" * 32, "", ": :"])
def test_a_key_that_cannot_be_compared_is_a_sentence(key):
    with pytest.raises(ValueError, match="expected_keys"):
        expected_of([key])


def host(*answers):
    """A host that gives these answers, one a command; an exception is raised."""
    queue = list(answers)

    def execute(command):
        answer = queue.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"rc": 0, "stdout": answer, "stderr": ""} if isinstance(answer, str) else answer

    return Host(execute, lambda: None)


def test_a_host_is_back_when_its_boot_id_is_another_one(monkeypatch):
    monkeypatch.setattr(mok_host, "PAUSE", 0)
    assert host("one\n", AnsibleConnectionFailure("down"), "two\n").wait("one", 5) == "two"


def test_a_host_that_does_not_come_back_is_no_boot_id(monkeypatch):
    monkeypatch.setattr(mok_host, "PAUSE", 0.01)
    assert host(*["one\n"] * 1000).wait("one", 0.05) == ""


def test_a_host_that_may_not_be_rebooted_is_a_sentence():
    refused = {"rc": 1, "stdout": "", "stderr": "Interactive authentication required.\n"}
    with pytest.raises(HostError, match=r"Interactive authentication required.*become root"):
        host(refused).reboot()


def test_a_host_without_a_boot_id_is_not_rebooted():
    with pytest.raises(HostError, match="It was not rebooted"):
        host({"rc": 1, "stdout": "", "stderr": "no such file"}).boot_id()
