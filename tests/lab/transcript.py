"""What a host's console has shown, as lines for people."""

from __future__ import annotations

import re
from pathlib import Path

# What moves the cursor or clears the screen begins a line; what sets colours or asks the terminal is nothing.
PLACES = re.compile(r"\x1b\[\d*(?:;\d*)?[Hf]|\x1b\[\d?J|\r")
ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;:?=!>]*[ -/]*[@-~]|\x1b[ -/]*[0-~]")
FRAMES = re.compile(r"[─-▟\ufffd]+")
WIDTH = 200


def path(home: Path) -> Path:
    """Gives the file with all that was ever shown."""
    return home / "console.log"


def lines(text: str) -> list[str]:
    """Gives the lines that say something, without escape sequences."""
    plain = FRAMES.sub(" ", ESCAPES.sub("", PLACES.sub("\n", text)))
    return [said[:WIDTH] for line in plain.split("\n") if (said := " ".join(line.split()))]


def tail(home: Path, count: int) -> list[str]:
    """Gives the last ``count`` lines of the console of the host that lives in ``home``."""
    return lines(path(home).read_text(encoding="utf-8", errors="replace"))[-count:]
