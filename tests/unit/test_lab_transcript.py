"""The lab's view of a host's console."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import transcript


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", []),
        ("\x1b[26;21HPress any key\x1b[48;03HBooting in 2 seconds  ", ["Press any key", "Booting in 2 seconds"]),
        ("\x1b[2J\x1b[01;01H  Booting `Debian GNU/Linux'\r\n\r\n", ["Booting `Debian GNU/Linux'"]),
        ("\x1b[!p\x1b]104\x07\x1b[?7h[    1.2] ..MP-BIOS bug\r\n", ["[ 1.2] ..MP-BIOS bug"]),
        ("[\x1b[0;1;38:5:185mDEPEND\x1b[0m] Dependency failed\r\n", ["[DEPEND] Dependency failed"]),
        ("├──────┤ \x1b[0mok", ["ok"]),
    ],
)
def test_escape_sequences_are_not_shown(text: str, shown: list[str]) -> None:
    assert transcript.lines(text) == shown


def test_only_the_last_lines_are_shown(tmp_path: Path) -> None:
    transcript.path(tmp_path).write_bytes(b"one\r\ntwo\r\n\xff three\r\n")
    assert transcript.tail(tmp_path, 2) == ["two", "three"]
