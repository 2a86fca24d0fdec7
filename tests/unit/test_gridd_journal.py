"""The daemon's words by driver branch: which cause they tell, and that old ones do not count."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_journal as journal
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_causes import GSP, HINTS, STORE, TEXTS, classify
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem

BEGAN = 1_770_000_000


def as_json(*messages):
    """Messages as journalctl gives them, a second apart."""
    rows = enumerate(messages)
    return "\n".join(
        json.dumps({"MESSAGE": text, "__REALTIME_TIMESTAMP": str((BEGAN + at) * 1000000)}) for at, text in rows
    )


def events(name):
    return journal.parse(as_json(*fixture(f"gridd/journal-{name}.txt").splitlines()))


@pytest.mark.parametrize(
    ("name", "last", "cause", "hint"),
    [
        ("525.105.17-licensed", "licensed", None, None),
        ("450.51-legacy", "licensed", None, None),
        ("535.104.05-no-token", "token_missing", "token_missing", HINTS["token_missing"]),
        ("535.161.07-bad-token", "token_invalid", "token_invalid", HINTS["token_invalid"]),
        ("550.90.07-no-entitlement", "no_entitlement", "no_entitlement", HINTS["no_entitlement"]),
        ("535.129.03-clock", "clock_skew", "clock_skew", HINTS["clock_skew"]),
        ("525.60.13-trusted-store", "unknown", "unknown", STORE),
        ("525.85.05-gsp", "feature_mismatch", "feature_mismatch", GSP),
    ],
)
def test_each_branch_s_journal_tells_its_cause(name, last, cause, hint):
    found = journal.cause(events(name))
    assert journal.last(events(name))["code"] == last
    assert (found and found.code, found and found.hint) == (cause, hint)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Failed to acquire license from dls (Info: P - Error: Couldn't connect to server)", "server_unreachable"),
        ("Failed to acquire license from dls (Info: P - Error: Could not resolve host: dls)", "server_unreachable"),
        ("Failed to acquire license from dls (Info: P - Error: Timeout was reached)", "server_unreachable"),
        ("Failed to acquire license from dls (Info: P - Error: SSL peer certificate or SSH remote key)", "tls_failed"),
        ("Failed to acquire license from dls (Info: P - Error: self-signed certificate)", "tls_failed"),
        (
            "Failed to acquire license from dls (Info: P - Error: the client configuration token has expired)",
            "token_expired",
        ),
        ("Clock windback has been detected", "clock_skew"),
        ("Failed to open file /etc/nvidia/gridd.conf (No such file or directory)", "conf_missing"),
        ("Configuration parameter ( ServerAddress  ) not set", None),
        ("Failed to acquire NVIDIA GRID Virtual Workstation license", None),
        ("NLS initialized", None),
        ("Something failed", "unknown"),
    ],
)
def test_a_line_has_a_code(text, code):
    assert classify(text)[0] == code


def test_every_cause_has_a_hint_and_every_code_a_meaning():
    codes = {code for _pattern, code, _hint in TEXTS} - {None, *journal.NO_CAUSES}
    assert codes <= set(HINTS)


def test_what_was_said_before_the_last_start_does_not_count():
    found = journal.parse(as_json("Started (1)", "Unable to fetch the client configuration token file", "Started (2)"))
    assert journal.cause(found) is None
    assert journal.last(found)["code"] == "token_missing"


def test_systemd_s_word_of_the_start_may_come_after_the_daemon_s_first_lines():
    found = journal.parse(
        as_json(
            "Starting NVIDIA Grid Daemon...",
            "Started (2)",
            "Clock windback has been detected",
            "Started NVIDIA Grid Daemon.",
        )
    )
    assert journal.cause(found).code == "clock_skew"


def test_a_cause_before_the_licence_came_does_not_count():
    found = journal.parse(
        as_json("Started (1)", "Error: Couldn't connect to server", "License acquired successfully. (Info: a)")
    )
    assert (journal.cause(found), journal.last(found)["code"]) == (None, "licensed")


def test_an_event_has_its_time():
    assert journal.last(journal.parse(as_json("NLS initialized", "Something failed")))["time"] == "2026-02-02T02:40:01Z"


def test_a_message_that_is_no_text_comes_as_bytes():
    found = journal.parse(json.dumps({"MESSAGE": list(b"\xffSomething failed"), "__REALTIME_TIMESTAMP": "x"}))
    assert (found[0].code, found[0].time) == ("unknown", None)


@given(st.text())
def test_no_text_breaks_the_parser(text):
    journal.last(journal.parse(text))
    journal.last(journal.parse(json.dumps({"MESSAGE": text})))
    journal.last(journal.parse(json.dumps({"MESSAGE": [text]})))


def test_a_machine_without_a_journal_says_nothing():
    assert journal.observe(FakeSystem()) == []
