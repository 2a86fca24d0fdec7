# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture of a console shows: which of MokManager's screens it is, and which entry is selected.

The texts and the layout are those of shim's MokManager. A screen counts only when its box is complete and holds what
belongs there; everything else is ``unknown``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_boxes import (
    SIDES,
    Picture,
    boxes,
    chosen,
    framed,
    shade,
)

FIRST = ("Continue boot", "Reboot")
LAST = ("Enroll key from disk", "Enroll hash from disk")
LISTS: dict[tuple[str, ...], str] = {("[Enroll MOK]",): "enrol_list", ("[Delete MOK]",): "delete_list"}
QUESTIONS: dict[tuple[str, ...], str] = {
    ("Enroll the key(s)?",): "confirm_enrol",
    ("Delete the key(s)?",): "confirm_delete",
}
TITLES = {("Perform MOK management",): "menu", **LISTS, **QUESTIONS}
HEADINGS = ("[Serial Number]", "[Issuer]", "[Subject]", "[Valid Not Before]", "[Valid Not After]", "[Fingerprint]")
QUESTION = {
    "menu": "Perform MOK management:",
    "unclear": "(a question without its title)",
    "unclear_list": "(a list without its title)",
    "enrol_list": "[Enroll MOK]",
    "delete_list": "[Delete MOK]",
    "confirm_enrol": "Enroll the key(s)?",
    "confirm_delete": "Delete the key(s)?",
}


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


UNKNOWN = Screen("unknown")


def menu(title: tuple[str, ...], entries: tuple[str, ...]) -> str | None:
    """Gives the name of a screen that offers ``entries``, or None.

    The line may have lost the title, and the one before stand there still. Then entries that tell enough are believed,
    and a list or a question is called ``unclear``.
    """
    if entries[0] in FIRST and entries[-len(LAST) :] == LAST:
        return "menu"
    if entries[-1] == "Continue" and all(re.fullmatch(r"View key \d+", row) for row in entries[:-1]):
        return None if "MOKX" in " ".join(title) else LISTS.get(title, "unclear_list")
    if entries == ("No", "Yes"):
        return QUESTIONS.get(title, "unclear")
    return "message" if entries == ("OK",) else None


def key_shown(lines: list[str]) -> Key | None:
    """Reads the fields of a certificate that fills the whole frame; what came in pieces is an empty text."""
    if sum(heading in line for line in lines for heading in HEADINGS) < 4:
        return None
    after = lines[lines.index("[Fingerprint]") + 1 :] if "[Fingerprint]" in lines else []
    half = re.compile(r"[0-9A-Fa-f]{2}(?: [0-9A-Fa-f]{2}){9}")
    halves = [line.replace(" ", "").lower() for line in after[:2] if half.fullmatch(line)]
    subject = lines[lines.index("[Subject]") + 1] if "[Subject]" in lines[:-1] else ""
    return Key("".join(halves) if len(halves) == 2 else "", subject)


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
        return Screen("password")
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
