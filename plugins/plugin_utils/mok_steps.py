# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys to press on a recognised screen of MokManager. Pure: no clock, no line.

One entry of the menu is asked for; every way that does not end in it leads through ``No`` and ``Continue boot``, so
that the machine boots. A screen that is not known here gets no key at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_boxes import NOT_KNOWN_YET
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_moves import (
    DONE,
    ENTER,
    ENTRY,
    PASSWORD,
    SPACE,
    TRIES,
    Move,
    State,
    Verdict,
    Wish,
    leave,
    select,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_screens import QUESTIONS, Key, Screen

# A countdown this near to its end is let alone: the key would meet GRUB's menu, stop its clock and with it the boot.
TOO_LATE = 1
WRONG = ("Password doesn't match", "Invalid password length", "Unable to generate password hash")
FAILED = (
    "Failed to ",
    "Corrupted signature list",
    "Invalid key list",
    "Invalid key delete list",
    "Password limit reached",
)
BOOTS = "No key was enrolled or removed, the machine boots, and the request is gone."
STAGE = "Stage it again (module mok) before the next try."


def step(wish: Wish, state: State, screen: Screen) -> Move:
    """Decides on one screen that has settled."""
    if state.left or screen.name not in {*SCREENS, "damaged"}:
        return Move(state)
    if screen.name == "damaged":
        return damaged(state, screen)
    if screen.name != state.name:
        kept = state.presumed if state.name == "key" else 0
        state = replace(state, name=screen.name, presumed=kept)
    now = (screen, state.presumed if screen.selected is None else 0)
    if state.acted == now or screen.selected == NOT_KNOWN_YET:
        return Move(state)
    move = SCREENS[screen.name](wish, state, screen)
    if not move.keys:
        return move
    return replace(move, state=replace(move.state, acted=now, pressed=move.keys))


def damaged(state: State, screen: Screen) -> Move:
    """Has a menu drawn again whose box came over the line in pieces: it answers a blank with that and nothing else.

    Not where the password may be asked for by now, under the same title.
    """
    answered = state.name == screen.said and screen.said in QUESTIONS.values() and ENTER in state.pressed
    if state.acted == (screen, 0) or answered:
        return Move(state)
    return Move(replace(state, acted=(screen, 0), pressed=(SPACE,)), (SPACE,))


def surprised(state: State, says: str) -> State:
    """From here on only ways out are taken; the first verdict stays."""
    return state if state.verdict else replace(state, verdict=Verdict("surprise", f"{says} {BOOTS} {STAGE}"))


def countdown(wish: Wish, state: State, screen: Screen) -> Move:
    seconds = screen.seconds or 0
    before = state.acted[0].seconds if state.acted and state.acted[0].name == "countdown" else None
    if seconds <= TOO_LATE or (before is not None and before - seconds < 2):
        return Move(state)
    return Move(state, (SPACE,))


def main_menu(wish: Wish, state: State, screen: Screen) -> Move:
    entry = ENTRY[wish.request]
    if state.verdict:
        return leave(state, screen, state.verdict)
    if screen.entries[0] == "Reboot":
        if state.typed and entry not in screen.entries:
            return leave(state, screen, Verdict(DONE[wish.request], f"MokManager has carried out {entry!r}."))
        says = "MokManager was used by somebody else at the same time: it has changed something and offers to reboot."
        return leave(
            state, screen, Verdict("surprise", f"{says} It was left so; look with mok_facts at what was changed.")
        )
    if entry not in screen.entries:
        offered = ", ".join(screen.entries[1:-2]) or "nothing that was requested"
        says = f"MokManager has no {entry!r} in its menu; it offers {offered}. {BOOTS} {STAGE}"
        return leave(state, screen, Verdict("refused", says))
    if state.typed:
        return leave(state, screen, Verdict("refused", f"MokManager did not carry out {entry!r}. {BOOTS} {STAGE}"))
    return select(state, screen, entry)


def keys(wish: Wish, state: State, screen: Screen) -> Move:
    if screen.name not in (f"{wish.request}_list", "unclear_list"):
        state = surprised(state, f"MokManager shows {screen.name}, which was not asked for.")
    views = [entry for entry in screen.entries[:-1] if entry not in state.viewed]
    if not wish.expected or not views or state.verdict:
        return select(state, screen, screen.entries[-1])
    move = select(state, screen, views[0])
    return replace(move, state=replace(move.state, viewed=(*state.viewed, views[0]))) if ENTER in move.keys else move


def one_key(wish: Wish, state: State, screen: Screen) -> Move:
    key = screen.key or Key("", "")
    if not (key.fingerprint and key.subject) and state.unread < TRIES and not state.verdict:
        return Move(replace(state, unread=state.unread + 1, viewed=state.viewed[:-1]), (SPACE,))
    if not any(is_key(key, one) for one in wish.expected) and not state.verdict:
        says = (
            f"The request holds a key that was not expected: {key.fingerprint or 'unreadable'}, {key.subject}. {BOOTS} "
            "Compare with what mokutil --list-new says after staging, and stage the right key."
        )
        state = replace(state, verdict=Verdict("refused", says))
    return Move(state, (SPACE,))


def is_key(key: Key, expected: str) -> bool:
    """Compares a SHA-1 fingerprint in any usual spelling, or a part of the subject."""
    digits = re.sub(r"[: ]", "", expected).lower()
    if re.fullmatch(r"[0-9a-f]{40}", digits):
        return digits == key.fingerprint
    return bool(expected) and expected in key.subject


def confirm(wish: Wish, state: State, screen: Screen) -> Move:
    if screen.name != f"confirm_{wish.request}":
        state = surprised(state, f"MokManager asks {screen.name}, which was not asked for.")
    move = select(state, screen, "No" if state.verdict else "Yes")
    return replace(move, state=replace(move.state, confirmed=ENTER in move.keys and not state.verdict))


def unclear(wish: Wish, state: State, screen: Screen) -> Move:
    """Says ``No`` to a question that cannot be read: the menu comes again, and from there the question."""
    if state.rounds >= TRIES:
        state = surprised(state, f"A question of MokManager's came {TRIES + 1} times in pieces.")
    move = select(state, screen, "No")
    return replace(move, state=replace(move.state, rounds=state.rounds + 1)) if ENTER in move.keys else move


def password(wish: Wish, state: State, screen: Screen) -> Move:
    """Types the password. The prompt can be left only by three wrong ones: empty ones, where nothing is wished."""
    if not state.confirmed:
        state = surprised(state, "MokManager asks for a password though nothing was confirmed.")
    if state.verdict or state.typed >= TRIES:
        return Move(state, (ENTER,))
    return Move(replace(state, typed=state.typed + 1), (PASSWORD, ENTER))


def message(wish: Wish, state: State, screen: Screen) -> Move:
    """Confirms a box that has nothing but ``OK``."""
    says = f"MokManager says: {screen.said}."
    if any(text in screen.said for text in WRONG):
        if state.typed >= TRIES and not state.verdict:
            wrong = f"{says} It was typed {TRIES} times, and is not the password that the request was made with."
            state = replace(state, verdict=Verdict("wrong_password", f"{wrong} {BOOTS} {STAGE}"))
    elif any(text in screen.said for text in FAILED):
        state = state if state.verdict else replace(state, verdict=Verdict("refused", f"{says} {BOOTS} {STAGE}"))
    else:
        state = surprised(state, f"{says} That is not known here.")
    return Move(state, (ENTER,))


def locked(wish: Wish, state: State, screen: Screen) -> Move:
    """MokManager's own password is none of ours: three empty ones let the machine boot."""
    return Move(surprised(state, "MokManager asks for a password of its own (mokutil --password)."), (ENTER,))


SCREENS: dict[str, Callable[[Wish, State, Screen], Move]] = {
    "countdown": countdown,
    "menu": main_menu,
    "enrol_list": keys,
    "delete_list": keys,
    "unclear_list": keys,
    "key": one_key,
    "confirm_enrol": confirm,
    "confirm_delete": confirm,
    "unclear": unclear,
    "password": password,
    "message": message,
    "locked": locked,
}
