# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture of a console shows: which of MokManager's screens it is, and which entry is selected.

The texts and the layout are those of shim's MokManager. A screen counts only when its frame is complete, its title is
known and its box holds what belongs under that title; everything else is ``unknown``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

TOP, BOTTOM = re.compile(r"[┌+][─-]{3,}[┐+]"), re.compile(r"[└+][─-]{3,}[┘+]")
SIDES = "│|"
FRAMED = 0.75  # of a frame's rows have their left side, at least
TOP_LEFT = re.compile(r"[┌+][─-]{3,}")
FIRST = ("Continue boot", "Reboot")
LAST = "Enroll hash from disk"
LISTS = {("[Enroll MOK]",): "enrol_list", ("[Delete MOK]",): "delete_list"}
QUESTIONS = {("Enroll the key(s)?",): "confirm_enrol", ("Delete the key(s)?",): "confirm_delete"}
TITLES = {("Perform MOK management",): "menu", **LISTS, **QUESTIONS}
HEADINGS = ("[Serial Number]", "[Issuer]", "[Subject]", "[Valid Not Before]", "[Valid Not After]", "[Fingerprint]")
QUESTION = {
    "menu": "Perform MOK management:",
    "enrol_list": "[Enroll MOK]",
    "delete_list": "[Delete MOK]",
    "confirm_enrol": "Enroll the key(s)?",
    "confirm_delete": "Delete the key(s)?",
}
NOT_KNOWN_YET = -1


@dataclass(frozen=True)
class Picture:
    """What stands on a console: ``rows`` of text, and in ``shades`` a letter for the background of each character.

    A blank is the terminal's own background.
    """

    rows: tuple[str, ...]
    shades: tuple[str, ...]


@dataclass(frozen=True)
class Key:
    """What ``View key N`` shows; the fingerprint is SHA-1. Empty is what could not be read."""

    fingerprint: str
    subject: str


@dataclass(frozen=True)
class Screen:
    """A screen by name, with what is needed to go on from it.

    ``selected``: index in ``entries``; None where the terminal has no colours; NOT_KNOWN_YET where it cannot be told
    """

    name: str
    entries: tuple[str, ...] = ()
    selected: int | None = None
    seconds: int | None = None
    said: str = ""
    key: Key | None = None

    @property
    def shows(self) -> str:
        """The screen in a few words; it does not change with the selection."""
        if self.name in QUESTION:
            return f"{QUESTION[self.name]} {', '.join(self.entries)}"
        if self.name == "countdown":
            return f"MokManager counts down: {self.seconds} s left"
        if self.key:
            return f"Key {self.key.fingerprint or '(in pieces)'}, {self.key.subject}"
        said = {"password": "Password:", "locked": "Enter MOK password:", "message": self.said}
        return said.get(self.name, f"{self.name} {self.said}".strip())


class Box(NamedTuple):
    """Rows and columns of a box's border."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)

    def inside(self, picture: Picture) -> list[str]:
        return [row[self.left + 1 : self.right].strip(f" {SIDES}") for row in picture.rows[self.top + 1 : self.bottom]]


UNKNOWN = Screen("unknown")


def boxes(picture: Picture) -> list[Box]:
    """Gives every box whose border is drawn completely."""
    found = []
    for top, row in enumerate(picture.rows):
        for match in TOP.finditer(row):
            left, right = match.start(), match.end() - 1
            for bottom in range(top + 1, len(picture.rows)):
                line = picture.rows[bottom].ljust(right + 1)
                if BOTTOM.fullmatch(line, left, right + 1):
                    found.append(Box(top, left, bottom, right))
                    break
                if line[left] not in SIDES or line[right] not in SIDES:
                    break
    return found


def shade(picture: Picture, row: int, left: int) -> str:
    """Gives the background of the first letter at or after ``left``."""
    text = picture.rows[row]
    place = next((at for at in range(left, len(text)) if text[at] not in f" {SIDES}"), left)
    return picture.shades[row].ljust(place + 1)[place]


def chosen(picture: Picture, box: Box, plain: str) -> int | None:
    """Gives the index of the one entry whose background is not ``plain``, the one of the title."""
    shades = [shade(picture, row, box.left + 1) for row in range(box.top + 1, box.bottom)]
    if plain == " " and set(shades) == {" "}:
        return None
    marked = [index for index, one in enumerate(shades) if one != plain]
    return marked[0] if len(marked) == 1 else NOT_KNOWN_YET


def menu(title: tuple[str, ...], entries: tuple[str, ...]) -> str | None:
    """Gives the name of a screen that offers ``entries`` under ``title``, or None."""
    if title == ("Perform MOK management",) and entries[0] in FIRST and entries[-1] == LAST:
        return "menu"
    if title in LISTS and entries[-1] == "Continue" and all(re.fullmatch(r"View key \d+", row) for row in entries[:-1]):
        return LISTS[title]
    if title in QUESTIONS and entries == ("No", "Yes"):
        return QUESTIONS[title]
    return "message" if title and entries == ("OK",) else None


def key_shown(lines: list[str]) -> Key | None:
    """Reads the fields of a certificate that fills the whole frame; what came in pieces is an empty text."""
    if sum(heading in line for line in lines for heading in HEADINGS) < 4:
        return None
    after = lines[lines.index("[Fingerprint]") + 1 :] if "[Fingerprint]" in lines else []
    half = re.compile(r"[0-9A-Fa-f]{2}(?: [0-9A-Fa-f]{2}){9}")
    halves = [line.replace(" ", "").lower() for line in after[:2] if half.fullmatch(line)]
    subject = lines[lines.index("[Subject]") + 1] if "[Subject]" in lines[:-1] else ""
    return Key("".join(halves) if len(halves) == 2 else "", subject)


def framed(picture: Picture) -> int:
    """Gives the last row of MokManager's frame, and 0 where there is none.

    A few of its rows need not be there: a row of blanks that has lost some on its way says as much as before.
    """
    if not picture.rows or not TOP_LEFT.match(picture.rows[0]):
        return 0
    sides = [at for at, row in enumerate(picture.rows) if at and row[:1] in ("│", "|", "└", "+")]
    return max((at for count, at in enumerate(sides, 1) if count >= FRAMED * at), default=0)


def recognise(picture: Picture) -> Screen:
    """Names the screen of MokManager that the picture shows, or ``unknown``."""
    last = framed(picture)
    inner = [box for box in boxes(picture) if box.left > 0 and box.top > 0 and box.bottom <= last]
    lines = [row.strip(f" {SIDES}") for row in picture.rows[1 : last + 1]]
    if not inner:
        return whole(tuple(line for line in lines[:3] if line), lines)
    box = min(inner, key=lambda one: one.size)  # an older and larger one may still stand around it
    title = tuple(line for line in lines[: min(3, box.top - 1)] if line)
    entries = tuple(box.inside(picture))
    if re.fullmatch(r"Password:[ *]*", " ".join(entries)):
        return Screen("password") if title in QUESTIONS or title[:1] == ("ERROR",) else UNKNOWN
    if entries == ("Enter MOK password:",):
        return Screen("locked")
    name = menu(title, entries)
    if name is None:
        return UNKNOWN
    said = " ".join(title) if name == "message" else ""
    return Screen(name, entries, chosen(picture, box, shade(picture, 1, 1)), said=said)


def whole(title: tuple[str, ...], lines: list[str]) -> Screen:
    """Names a screen that has no box inside of its frame, or none that has come over the line whole."""
    if re.fullmatch(r"\w+ UEFI key management", " ".join(title)) and "Press any key to perform MOK management" in lines:
        left = re.search(r"Booting in (\d+) second", " ".join(lines))
        return Screen("countdown", seconds=int(left[1])) if left else UNKNOWN
    if title in TITLES:
        return Screen("damaged", said=TITLES[title])
    key = key_shown(lines)
    return Screen("key", key=key) if key else UNKNOWN
