"""What is remembered of requests to MokManager, and what mokutil says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_requests as requests
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mokutil as mokutil
from ansible_collections.gpufleet.nvidia.plugins.module_utils._certificate import read as read_certificate
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem
from tests.unit.mok_hosts import DKMS, DKMS_SERIAL, DKMS_SHA1

KEY = {"sha1": "aa", "serial": "01", "subject": "CN=A"}
TIME = "2026-11-21T10:55:00Z"


def test_a_request_is_read_as_it_was_written_by_root_alone():
    system = FakeSystem()
    rows = requests.remember([], read_certificate(DKMS), "enrol", "boot", TIME)
    requests.write(system, rows)
    assert requests.read(system) == rows
    assert (rows[0]["sha1"], rows[0]["serial"], system.modes[requests.PATH]) == (DKMS_SHA1, DKMS_SERIAL, 0o600)


def test_there_is_one_request_for_a_certificate_the_last():
    rows = requests.remember([], KEY, "enrol", "one", TIME)
    rows = requests.remember(rows, {**KEY, "sha1": "bb"}, "enrol", "one", TIME)
    rows = requests.remember(rows, KEY, "delete", "two", TIME)
    assert [(row["sha1"], row["action"], row["boot_id"]) for row in rows] == [
        ("bb", "enrol", "one"),
        ("aa", "delete", "two"),
    ]
    assert [row["sha1"] for row in requests.forget(rows, "aa")] == ["bb"]


def test_the_file_goes_with_the_last_request():
    system = FakeSystem({requests.PATH: "[]"})
    requests.write(system, [])
    assert (requests.read(system), system.removed) == ([], [requests.PATH])


def test_what_a_user_may_not_read_is_none():
    class Hidden(FakeSystem):
        def read(self, path):
            return None

    assert requests.read(Hidden({requests.PATH: "[]"})) is None
    assert requests.read(Hidden()) == []


@pytest.mark.parametrize(
    ("action", "boot_id", "enrolled", "pending", "gone"),
    [
        ("enrol", "before", set(), set(), True),
        ("enrol", "now", set(), set(), False),  # cancelled in this boot
        ("enrol", "before", set(), {"aa"}, False),  # MokManager was not started
        ("enrol", "before", {"aa"}, set(), False),
        ("delete", "before", {"aa"}, set(), True),
        ("delete", "before", set(), set(), False),
        ("delete", "before", {"aa"}, {"aa"}, False),
    ],
)
def test_a_request_that_a_boot_took_away_was_dismissed(action, boot_id, enrolled, pending, gone):
    rows = requests.remember([], KEY, action, boot_id, TIME)
    assert requests.dismissed(rows, "now", enrolled, pending) == (rows if gone else [])


@pytest.mark.parametrize("text", ["", "{", "3", "{}", '[1, {"sha1": "aa"}, {"sha1": 1, "action": "enrol"}]', "null"])
def test_a_damaged_memory_is_none_at_all(text):
    assert requests.parse(text) == []


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)
ROWS = st.dictionaries(st.sampled_from([*requests.FIELDS, "more"]), JSON | st.sampled_from(requests.ACTIONS))


@given(st.lists(ROWS | JSON))
def test_any_memory_can_be_read_and_kept(rows):
    found = requests.parse(json.dumps(rows))
    assert requests.parse(json.dumps(found)) == found
    requests.dismissed(found, "now", set(), set())
    assert requests.forget(requests.remember(found, KEY, "enrol", "now", TIME), "aa") == requests.forget(found, "aa")


def test_the_lists_of_mokutil_give_fingerprints():
    assert mokutil.parse_keys(fixture("mokutil/0.7.2-list-new.txt")) == [DKMS_SHA1]
    assert mokutil.parse_keys(fixture("mokutil/0.7.2-list-enrolled.txt")) == [
        "53610cf81fbd7e0ceb67913c9ef3e794a9633ecb"
    ]
    assert mokutil.parse_keys(fixture("mokutil/0.7.2-list-enrolled-short.txt")) == ["53610cf81f"]
    assert mokutil.parse_keys("") == []


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (fixture("mokutil/0.7.2-test-key-absent.txt"), "absent"),
        (fixture("mokutil/0.7.2-test-key-pending.txt"), "pending"),
        ("k.der is already enrolled\n", "enrolled"),
        ("k.der is already in db\n", "db"),
        ("k.der is already in the built-in trusted keyring\n", "builtin"),
        ("SKIP: k.der is already in the enrollment request\n", "pending"),
        ("EFI variables are not supported on this system\n", None),
        ("", None),
        (None, None),
    ],
)
def test_the_answers_of_mokutil_are_told_apart_by_their_text(text, answer):
    assert mokutil.parse_test(text) == answer


@pytest.mark.parametrize("complaint", [words for words, _sentence in mokutil.COMPLAINTS])
def test_what_mokutil_complains_of_becomes_a_sentence(complaint):
    assert mokutil.explain(f"mokutil: {complaint}\n").endswith(".")


@pytest.mark.parametrize("text", ["", None, "something new"])
def test_an_unknown_complaint_is_not_explained_away(text):
    assert mokutil.explain(text) is None


@given(st.text(max_size=200))
def test_any_text_of_mokutil_is_read(text):
    assert all(digits for digits in mokutil.parse_keys(text))
    mokutil.parse_test(text)
    mokutil.explain(text)
