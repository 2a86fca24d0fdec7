# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came over a console, as lines for people, and with every secret taken out."""

from __future__ import annotations

import re

PLACED = re.compile(r"\x1b\[\d*(?:;\d*)?[Hf]|\x1b\[\d?J")
ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;:?=!>]*[ -/]*[@-~]|\x1b[ -/]*[0-~]")
DRAWN = re.compile(r"[─-▟\ufffd]+|[+|](?:-+[+|])?|-{3,}")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]+")
MASK = "********"
KEPT = 65536


def plain(text: str) -> str:
    """Takes out what moves the cursor or sets colours; a place on the screen begins a line."""
    return CONTROL.sub("", ESCAPES.sub("", PLACED.sub("\n", text.replace("\r", "\n"))))


def lines(text: str) -> list[str]:
    """Gives the lines of ``text`` that say something, each once in a row."""
    kept: list[str] = []
    for line in plain(text).split("\n"):
        said = re.sub(r" {2,}", "  ", DRAWN.sub(" ", line)).strip()
        if said and kept[-1:] != [said]:
            kept.append(said)
    return kept


def masked(text: str, secrets: list[str]) -> str:
    """Replaces each secret, also where something stands between its characters."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        pattern = r"[\W_]*?".join(map(re.escape, secret)) if len(secret) >= 8 else re.escape(secret)
        text = re.sub(pattern, MASK, text)
    return text


def tail(text: str, secrets: list[str], count: int) -> list[str]:
    """Gives the last ``count`` lines of what came, without the secrets."""
    whole = masked("\n".join(lines(text)), secrets)
    return whole.split("\n")[-count:] if whole else []
