"""What is pressed on which screen: a table, and the promises that hold on every screen there can be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_boxes import NOT_KNOWN_YET
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_moves import (
    DOWN,
    ENTER,
    PASSWORD,
    SPACE,
    UP,
    State,
    Verdict,
    Wish,
    again,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_screens import Key, Screen
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_steps import SCREENS, step

ENROL, DELETE = Wish("enrol"), Wish("delete")
DISK = ("Enroll key from disk", "Enroll hash from disk")
FRESH = ("Continue boot", "Enroll MOK", *DISK)
DONE = ("Reboot", *DISK)
BAD = State(verdict=Verdict("surprise", "x"))
SHA1 = "8a1793128a31322feed7088f0ffc0f6547605801"
LOOK = Wish("enrol", (SHA1.upper(),))


@pytest.mark.parametrize(
    ("wish", "state", "screen", "keys"),
    [
        (ENROL, State(), Screen("countdown", seconds=10), (SPACE,)),
        (ENROL, State(), Screen("countdown", seconds=1), ()),
        (ENROL, State(), Screen("menu", FRESH, 0), (DOWN,)),
        (ENROL, State(), Screen("menu", FRESH, 1), (ENTER,)),
        (ENROL, State(), Screen("menu", FRESH, 3), (UP,)),
        (ENROL, State(), Screen("menu", FRESH, NOT_KNOWN_YET), ()),
        (DELETE, State(), Screen("menu", FRESH, 0), (ENTER,)),
        (ENROL, State(typed=1), Screen("menu", DONE, 0), (ENTER,)),
        (ENROL, State(), Screen("menu", DONE, 1), (UP,)),
        (ENROL, BAD, Screen("menu", FRESH, 1), (UP,)),
        (ENROL, State(), Screen("enrol_list", ("View key 0", "Continue"), 0), (DOWN,)),
        (ENROL, State(), Screen("enrol_list", ("View key 0", "Continue"), 1), (ENTER,)),
        (LOOK, State(), Screen("enrol_list", ("View key 0", "Continue"), 0), (ENTER,)),
        (LOOK, State(viewed=("View key 0",)), Screen("enrol_list", ("View key 0", "Continue"), 0), (DOWN,)),
        (LOOK, State(), Screen("key", key=Key(SHA1, "CN=x")), (SPACE,)),
        (ENROL, State(), Screen("confirm_enrol", ("No", "Yes"), 1), (ENTER,)),
        (ENROL, BAD, Screen("confirm_enrol", ("No", "Yes"), 1), (UP,)),
        (ENROL, State(), Screen("confirm_delete", ("No", "Yes"), 0), (ENTER,)),
        (ENROL, State(confirmed=True), Screen("password"), (PASSWORD, ENTER)),
        (ENROL, State(), Screen("password"), (ENTER,)),
        (ENROL, State(), Screen("unclear", ("No", "Yes"), 1), (UP,)),
        (ENROL, State(), Screen("unclear", ("No", "Yes"), 0), (ENTER,)),
        (ENROL, State(confirmed=True, typed=3), Screen("password"), (ENTER,)),
        (ENROL, BAD, Screen("password"), (ENTER,)),
        (ENROL, State(), Screen("message", ("OK",), 0, said="ERROR Password doesn't match"), (ENTER,)),
        (ENROL, State(), Screen("locked"), (ENTER,)),
        (ENROL, State(), Screen("damaged", said="menu"), (SPACE,)),
        (ENROL, State(name="confirm_enrol", pressed=(ENTER,)), Screen("damaged", said="confirm_enrol"), ()),
        (ENROL, State(), Screen("unknown"), ()),
        (ENROL, State(left=True), Screen("menu", FRESH, 0), ()),
    ],
)
def test_the_keys_of_a_screen(wish, state, screen, keys):
    assert step(wish, state, screen).keys == keys


def test_nothing_is_pressed_twice_on_the_same_screen():
    screen = Screen("menu", FRESH, 0)
    state = step(ENROL, State(), screen).state
    assert step(ENROL, state, screen).keys == ()
    assert again(state, screen) == (DOWN,)


def test_a_terminal_without_colours_goes_on_from_where_it_presumes_to_be():
    screen = Screen("menu", FRESH, None)
    first = step(ENROL, State(), screen)
    second = step(ENROL, first.state, screen)
    assert (first.keys, second.keys) == ((DOWN,), (ENTER,))
    assert again(first.state, screen) == () and step(ENROL, second.state, screen).keys == ()


def test_a_password_is_never_typed_twice_into_one_prompt():
    state = step(ENROL, State(confirmed=True), Screen("password")).state
    assert step(ENROL, state, Screen("password")).keys == ()
    assert again(state, Screen("password")) == (ENTER,)


@pytest.mark.parametrize("said", ["Something else", "Failed to enroll keys", "Password limit reached"])
def test_after_bad_news_the_way_out_is_taken(said):
    state = step(ENROL, State(), Screen("message", ("OK",), 0, said=said)).state
    assert state.verdict and state.verdict.outcome in ("surprise", "refused")
    assert step(ENROL, state, Screen("menu", FRESH, 0)).state.left


@pytest.mark.parametrize(("fingerprint", "subject"), [("ff" * 20, "CN=x"), ("ff" * 20, "")])
def test_an_unexpected_key_is_a_verdict(fingerprint, subject):
    state = State(unread=3)
    after = step(LOOK, state, Screen("key", key=Key(fingerprint, subject))).state
    assert after.verdict and after.verdict.outcome == "refused" and fingerprint in after.verdict.says


def test_a_key_that_came_in_pieces_is_looked_at_again_three_times():
    state, screen = State(viewed=("View key 0",)), Screen("key", key=Key("", "CN=x"))
    for tries in (1, 2, 3):
        state = replace(step(LOOK, replace(state, acted=None, viewed=("View key 0",)), screen).state)
        assert (state.unread, state.viewed, state.verdict) == (tries, (), None)
    assert step(LOOK, replace(state, acted=None), screen).state.verdict


SOME = st.builds(
    Screen,
    st.sampled_from([*SCREENS, "damaged", "unknown", "else"]),
    st.sampled_from([FRESH, DONE, ("No", "Yes"), ("OK",), ("View key 0", "Continue")]),
    st.sampled_from([None, NOT_KNOWN_YET, 0, 1]),
    st.integers(0, 10),
    st.sampled_from(["", "menu", "confirm_enrol", "ERROR Password doesn't match"]),
)
FITTING = {
    "unclear": ("No", "Yes"),
    "confirm_enrol": ("No", "Yes"),
    "confirm_delete": ("No", "Yes"),
    "message": ("OK",),
}


def sensible(screen):
    if screen.name == "menu":
        return screen.entries in (FRESH, DONE)
    if screen.name.endswith("_list"):
        return screen.entries[-1] == "Continue"
    return screen.entries == FITTING.get(screen.name, screen.entries)


@given(st.lists(SOME.filter(sensible), max_size=30), st.sampled_from([ENROL, DELETE, LOOK]))
def test_once_there_is_a_verdict_nothing_is_confirmed_or_typed_any_more(shown, wish):
    state = State()
    for screen in shown:
        before, move = state.verdict, step(wish, state, screen)
        if before:
            assert PASSWORD not in move.keys
            if screen.name in FITTING and screen.name != "message" and move.keys == (ENTER,):
                assert screen.entries[state.presumed if screen.selected is None else screen.selected] == "No"
        if screen.name in ("unknown", "else"):
            assert move.keys == ()
        state = move.state
