# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of a console, the frame and the boxes that are drawn on it, and the one line that stands out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

TOP, BOTTOM = re.compile(r"[┌+][─-]{3,}[┐+]"), re.compile(r"[└+][─-]{3,}[┘+]")
SIDES = "│|"
FRAMED = 0.75  # of a frame's rows have their left side, at least
TOP_LEFT = re.compile(r"[┌+][─-]{3,}")
NOT_KNOWN_YET = -1


@dataclass(frozen=True)
class Picture:
    """What stands on a console: ``rows`` of text, and in ``shades`` a letter for the background of each character.

    A blank is the terminal's own background.
    """

    rows: tuple[str, ...]
    shades: tuple[str, ...]


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


def framed(picture: Picture) -> int:
    """Gives the last row of MokManager's frame, and 0 where there is none.

    A few of its rows need not be there: a row of blanks that has lost some on its way says as much as before.
    """
    if not picture.rows or not TOP_LEFT.match(picture.rows[0]):
        return 0
    sides = [at for at, row in enumerate(picture.rows) if at and row[:1] in ("│", "|", "└", "+")]
    return max((at for count, at in enumerate(sides, 1) if count >= FRAMED * at), default=0)
