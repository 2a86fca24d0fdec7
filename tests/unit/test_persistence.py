from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._persistence import (
    mode,
    observe,
    parse_command,
    parse_flags,
    parse_show,
    parse_unit,
)
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem


def unit(name):
    return parse_unit(parse_show(fixture(f"systemctl/{name}.txt")))


def test_debian_s_unit_turns_persistence_on():
    seen = unit("252-debian-active")
    assert (seen["persistence_mode"], seen["user"], seen["unit_file_state"]) == (True, "nvpd", "enabled")
    assert seen["drop_ins"] == ["/etc/systemd/system/nvidia-persistenced.service.d/zz-gpufleet.conf"]
    assert seen["condition_failed"] is False


def test_ubuntu_s_unit_is_static_and_leaves_it_off():
    seen = unit("255-ubuntu-static")
    assert (seen["persistence_mode"], seen["user"], seen["unit_file_state"]) == (False, "nvidia-persistenced", "static")
    assert seen["stop_when_unneeded"] and seen["condition_failed"]


def test_a_unit_that_is_not_there_is_none():
    assert unit("252-absent") is None
    assert observe(FakeSystem(), [], "systemd")["unit"] is None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("/usr/bin/nvidia-persistenced", (True, False, None)),
        ("nvidia-persistenced -u x --no-persistence-mode", (False, False, "x")),
        ("nvidia-persistenced --user=x --uvm-persistence-mode", (True, True, "x")),
        ("nvidia-persistenced --user", (True, False, None)),
    ],
)
def test_the_daemon_s_flags(command, expected):
    assert parse_flags(command) == expected


@given(st.text())
def test_no_text_breaks_the_parsers(text):
    parse_unit(parse_show(text))
    parse_flags(parse_command(text))


@pytest.mark.parametrize(
    ("active", "states", "expected"),
    [
        (True, [True, True], "daemon"),
        (False, [True], "legacy"),
        (True, [True, False], "off"),
        (True, [], "unknown"),
        (True, [None], "unknown"),
    ],
)
def test_the_mode_is_what_the_gpus_say(active, states, expected):
    seen = unit("252-debian-active") if active else None
    assert mode(seen, [{"persistence_mode": state} for state in states]) == expected
