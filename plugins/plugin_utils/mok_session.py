# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One boot through MokManager: reads the line, waits until a screen has settled, presses what the steps say."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_endings import Seen, ended, lost, silent, stuck
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_line import Line, LineError
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_moves import (
    NAMES,
    PASSWORD,
    State,
    Verdict,
    Wish,
    again,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_screens import Screen, recognise
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_signs import boot_sign
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_steps import step
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_terminal import Terminal
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_transcript import KEPT

REPEATS = 2
TORN = ("damaged", "unclear", "unclear_list")
# Seconds between two looks: what is computed in between is time that the thread at the line may lack.
PAUSE = 0.05
OVERLAP = 200


@dataclass(frozen=True)
class Patience:
    """Seconds.

    ``first``: until MokManager shows up; ``settle``: a screen stands still before a key is pressed; ``torn``: the same
    for one that is not whole; ``again``: until a key counts as lost; ``stuck``: nothing known is shown; ``away``: the
    boot after the last key; ``key``: between two keys, more with every try of the password.
    """

    first: float = 300
    settle: float = 0.4
    torn: float = 1.5
    again: float = 6
    stuck: float = 30
    away: float = 60
    key: float = 0.1


@dataclass
class Session:
    """``say`` gets a line for each new screen; ``text`` is what came over the line, secrets and all."""

    line: Line
    wish: Wish
    password: str
    say: Callable[[str], None]
    patience: Patience = field(default_factory=Patience)
    screens: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        self._terminal, self._state, self._fresh = Terminal(), State(), ""
        self._started = self._changed = self._acted = self._known = time.monotonic()
        self._repeats, self._restarted = 0, False
        self._screen: Screen | None = None

    def run(self) -> Verdict:
        """Gives the end; whatever happens on the line is one of the outcomes, never an exception."""
        while True:
            try:
                time.sleep(PAUSE)
                self._take(0)
                verdict = self._look(time.monotonic())
            except LineError as exc:
                return lost(self._state, self._seen(), str(exc))
            if verdict:
                return verdict

    def _seen(self) -> Seen:
        return Seen(tuple(one["screen"] for one in self.screens), self._restarted, bool(self.text.strip()))

    def _take(self, patience: float) -> None:
        data = self.line.read(patience)
        if data:
            text = self._terminal.feed(data)
            self.text, self._fresh = (self.text + text)[-KEPT:], self._fresh + text
            self._changed, self._screen = time.monotonic(), None

    def _look(self, now: float) -> Verdict | None:
        sign = boot_sign(self._fresh)
        self._fresh = self._fresh[sign[1] if sign else -OVERLAP :]
        if sign:
            self._restarted = self._restarted or sign[0] == "restart"
            verdict = ended(self._state, self._seen(), sign[0])
            if verdict:
                return verdict
        if self._state.left:
            return self._state.verdict if now - self._acted > self.patience.away else None
        still = now - self._changed
        if still >= self.patience.settle:
            self._screen = self._screen or recognise(self._terminal.picture())
            if self._screen.name not in TORN or still >= self.patience.torn:
                self._act(self._screen, now)
        if not self.screens:
            return silent(self._seen()) if now - self._started > self.patience.first else None
        return stuck(self._state, self._seen()) if now - self._known > self.patience.stuck else None

    def _act(self, screen: Screen, now: float) -> None:
        if screen.name == "unknown":
            return
        self._note(screen, now)
        move = step(self.wish, self._state, screen)
        if move.keys:
            self._state, self._known, self._repeats = move.state, now, 0
            self._press(move.keys)
        elif screen.name == "countdown":
            self._state, self._known = move.state, now
        else:
            self._state = move.state
            keys = again(self._state, screen)
            if keys and self._repeats < REPEATS and now - self._acted > self.patience.again:
                self._repeats += 1
                self._press(keys)

    def _note(self, screen: Screen, now: float) -> None:
        if self.screens and self.screens[-1]["screen"] == screen.name and self.screens[-1]["shows"] == screen.shows:
            return
        one = {"screen": screen.name, "shows": screen.shows, "seconds": round(now - self._started, 1), "pressed": []}
        if screen.name == "countdown" and self.screens and self.screens[-1]["screen"] == "countdown":
            self.screens[-1].update(shows=screen.shows)  # one countdown is one screen
            return
        self.screens.append(one)
        self.say(screen.shows)

    def _press(self, keys: tuple[bytes, ...]) -> None:
        """Presses; the password only as long as its prompt stands there."""
        self._fresh = ""
        for key in keys:
            for one in self.password.encode("ascii") if key == PASSWORD else [key]:
                if key == PASSWORD and recognise(self._terminal.picture()).name != "password":
                    return
                self.line.write(bytes([one]) if isinstance(one, int) else one)
                self._take(self.patience.key * max(1, self._state.typed))
            self.screens[-1]["pressed"].append(NAMES[key])
        self._acted = self._known = time.monotonic()
