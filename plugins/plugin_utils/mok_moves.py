# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wished from MokManager, what was done so far, and the keys that go to one entry of a menu. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_screens import Screen

DOWN, UP, ENTER = b"\x1b[B", b"\x1b[A", b"\r"
# In MokManager it does nothing but stop the countdown or leave the view of a key.
SPACE = b" "
PASSWORD = b"<password>"  # stands for the password; the session puts it in
NAMES = {DOWN: "Down", UP: "Up", ENTER: "Enter", SPACE: "Space", PASSWORD: "the password"}
TRIES = 3  # as many as MokManager allows
ENTRY = {"enrol": "Enroll MOK", "delete": "Delete MOK"}
DONE = {"enrol": "enrolled", "delete": "deleted"}


@dataclass(frozen=True)
class Wish:
    """``expected``: SHA-1 fingerprints or parts of subjects; empty means that the keys are not looked at."""

    request: str
    expected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """How it ended: ``outcome`` is a word for playbooks, ``says`` a sentence for people."""

    outcome: str
    says: str


@dataclass(frozen=True)
class State:
    """What the screen alone does not tell.

    ``verdict``: where it is set, every way leads out through ``No`` and the first entry of the menu
    ``confirmed``: ``Yes`` was chosen, so that the next prompt is the one for our password
    ``rounds``: how often a question without its title was left for another round through the menu
    ``typed``: how often the password was typed
    ``left``: the last key was pressed
    ``viewed``: entries whose keys were looked at; ``unread``: how often a key came over the line in pieces
    ``presumed``: where the selection is on a terminal without colours
    ``acted``: screen and ``presumed`` when ``pressed`` were pressed, so that nothing is pressed twice
    """

    verdict: Verdict | None = None
    confirmed: bool = False
    rounds: int = 0
    typed: int = 0
    left: bool = False
    name: str = ""
    presumed: int = 0
    viewed: tuple[str, ...] = ()
    unread: int = 0
    acted: tuple[Screen, int] | None = None
    pressed: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Move:
    """Keys to press, and the state when they are pressed."""

    state: State
    keys: tuple[bytes, ...] = ()


def select(state: State, screen: Screen, entry: str) -> Move:
    """Goes one entry nearer to ``entry``, or presses Enter where it is the selected one."""
    at = state.presumed if screen.selected is None else screen.selected
    to = screen.entries.index(entry)
    if at == to:
        return Move(state, (ENTER,))
    return Move(replace(state, presumed=at + (1 if to > at else -1)), (DOWN if to > at else UP,))


def leave(state: State, screen: Screen, verdict: Verdict) -> Move:
    """Leaves the main menu by its first entry, which boots or reboots."""
    move = select(replace(state, verdict=verdict), screen, screen.entries[0])
    return replace(move, state=replace(move.state, left=move.keys == (ENTER,)))


def again(state: State, screen: Screen) -> tuple[bytes, ...]:
    """Gives the keys to press once more on a screen that has not moved: a line may lose a key.

    The password is never typed twice into one prompt, and no arrow is pressed twice where nobody sees what is selected.
    """
    if not state.acted or state.acted[0] != screen:
        return ()
    if PASSWORD in state.pressed:
        return (ENTER,)
    return () if screen.selected is None and {UP, DOWN} & set(state.pressed) else state.pressed
