# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The terminal at the controller's end of a console: bytes in, a picture out. pyte does the work."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_boxes import Picture

MISSING = (
    "The controller has no Python package {name}, which mok_console needs to read a console. Install it where Ansible "
    "runs: {python} -m pip install pexpect pyte"
)
# Larger than any text mode of a firmware: what is addressed by row and column lands where it was meant to.
COLUMNS, ROWS = 240, 80
# Firmware sends box characters in code page 437 or in UTF-8; of the latter only those of three bytes matter here.
HIGH = re.compile(rb"\xe2[\x80-\xbf]{2}|[\x80-\xff]")
SET_MODE = re.compile(r"\x1b\[=\d*[hl]")
UNFINISHED = re.compile(rb"(?:\xe2[\x80-\xbf]?|\x1b(?:\[(?:=\d*)?)?)\Z")
SEQUENCE = re.compile("(?=\x1b)")
BLANK = " "


def decode(data: bytes) -> str:
    """Turns what a firmware or Linux sends into text, whichever of the two encodings it uses."""

    def high(match: re.Match[bytes]) -> bytes:
        return match[0] if len(match[0]) == 3 else match[0].decode("cp437").encode()

    return SET_MODE.sub("", HIGH.sub(high, data).decode("utf-8", "replace"))


class Terminal:
    """Keeps the screen as a terminal would."""

    def __init__(self) -> None:
        import pyte

        self._new_stream: Any = pyte.Stream
        self._screen: Any = pyte.Screen(COLUMNS, ROWS)
        self._stream: Any = pyte.Stream(self._screen)
        self._rest = b""

    def feed(self, data: bytes) -> str:
        """Draws what came and gives it as text; a sequence that is not complete yet waits for the next call."""
        data = self._rest + data
        unfinished = UNFINISHED.search(data)
        cut = unfinished.start() if unfinished else len(data)
        self._rest = data[cut:]
        text = decode(data[:cut])
        for piece in SEQUENCE.split(text):
            self._draw(piece)
        return text

    def _draw(self, piece: str) -> None:
        try:
            self._stream.feed(piece)
        except (TypeError, ValueError, IndexError, KeyError):
            # What two torn sequences make together may be none that pyte can carry out; it is left out.
            self._stream = self._new_stream(self._screen)

    def picture(self) -> Picture:
        rows, shades = [], []
        for number in range(ROWS):
            line = self._screen.buffer[number]
            cells = [line[column] for column in range(max(line, default=-1) + 1)]
            rows.append("".join(cell.data or BLANK for cell in cells))
            shades.append("".join(background(cell) for cell in cells))
        return Picture(tuple(rows), tuple(shades))


def background(cell: Any) -> str:
    """Gives one letter for the colour behind a character, and a blank for the terminal's own."""
    colour = cell.fg if cell.reverse else cell.bg
    if colour == "default":
        return "R" if cell.reverse else BLANK
    return {"black": "k", "blue": "b"}.get(colour, colour[:1])
