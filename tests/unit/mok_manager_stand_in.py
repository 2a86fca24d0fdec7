"""A stand-in for a machine that boots through shim's MokManager, at the end of a serial line.

It draws what MokManager draws (frames in code page 437 placed by row and column, the selected entry on black) and
answers keys as it does: three tries for the password, ``Continue boot`` until something has changed, then ``Reboot``.
Run as a program it does so on its own terminal: mok_manager_stand_in.py PASSWORD FILE, and FILE says what became of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

COLUMNS, ROWS = 80, 25
KEY = ("8A 17 93 12 8A 31 32 2F EE D7", "08 8F 0F FC 0F 65 47 60 58 01")
SUBJECT = "CN=DKMS module signing key"
BLUE, BLACK = "\x1b[37m\x1b[44m", "\x1b[37m\x1b[40m"
ARROWS = {b"\x1b[A": "Up", b"\x1b[B": "Down", b"\r": "Enter"}
ENTRY = {"enrol": "Enroll MOK", "delete": "Delete MOK"}


def certificate() -> list[str]:
    """The lines of ``View key 0``."""
    named = ["[Serial Number]", "57:22", "", "[Issuer]", SUBJECT, "", "[Subject]", SUBJECT, "", "[Valid Not Before]"]
    return [*named, "Nov 21 09:59:08 2026 GMT", "", "[Valid Not After]", "Oct 28 2126", "", "[Fingerprint]", *KEY]


class Gone(Exception):
    """The other end has hung up."""


@dataclass
class MokManager:
    """``send`` takes bytes; ``receive`` gives one byte, or b"" after so many seconds.

    ``odd`` replaces the screen of that name by ``shows`` and ``offers``; ``untitled`` questions lose their title;
    ``deaf`` swallows so many keys; ``spoilt`` loses
    some bytes of the menu's box the first time it is drawn; ``plain`` knows no colours.
    """

    send: Callable[[bytes], None]
    receive: Callable[[float], bytes]
    password: str = "lab12345"
    request: str = "enrol"
    seconds: int = 10
    tick: float = 1.0
    odd: str = ""
    shows: tuple[str, ...] = ("Something nobody has seen before",)
    offers: tuple[str, ...] = ("OK",)
    untitled: int = 0
    deaf: int = 0
    spoilt: bool = False
    plain: bool = False
    stays: bool = False
    pressed: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    changed: bool = False
    end: str = ""

    def boot(self) -> None:
        self.write('BdsDxe: starting Boot0001 "UEFI Misc Device"\r\n')
        if self.countdown():
            self.menu()
        self.end = "rebooted" if self.changed else "booted"
        self.write("\x1b[0m\x1b[2J\x1b[01;01H")
        self.write('BdsDxe: loading Boot0001 "UEFI Misc Device"\r\n' if self.changed else "  Booting `Debian'\r\n")

    def write(self, text: str) -> None:
        self.send(text.encode("cp437"))

    def key(self, patience: float = 20) -> str:
        one = self.receive(patience)
        if not one:
            return ""
        if one == b"\x1b":
            one += self.receive(1) + self.receive(1)
        if self.deaf:
            self.deaf -= 1
            return self.key(patience)
        name = ARROWS.get(one, one.decode("latin-1"))
        self.pressed.append(name)
        return name

    def box(self, texts: list[str], top: int, left: int, height: int, width: int, first: int, chosen: int = -1) -> None:
        drawn = ["┌" + "─" * (width - 2) + "┐"]
        for row in range(1, height - 1):
            text = texts[row - first] if 0 <= row - first < len(texts) else ""
            drawn.append("│" + text.center(width - 2) + "│")
        drawn.append("└" + "─" * (width - 2) + "┘")
        for row, line in enumerate(drawn):
            colour = "" if self.plain else BLACK if row - first == chosen and chosen >= 0 else BLUE
            place = f"\x1b[{top + row + 1:02d};{left + 1:02d}H"
            if self.spoilt and left and row == 2:
                self.spoilt, place = False, ""
            self.write(f"{colour}{place}{line}")

    def frame(self, *title: str) -> None:
        self.box(list(title), 0, 0, ROWS - 1, COLUMNS, 1)

    def countdown(self) -> bool:
        self.write("\x1b[2J")
        self.frame("Shim UEFI key management")
        self.write("\x1b[12;20HPress any key to perform MOK management")
        for left in range(self.seconds, 0, -1):
            self.write(f"\x1b[22;03HBooting in {left} second{'s' if left > 1 else ' '}  ")
            if self.key(self.tick):
                return True
        return False

    def select(self, name: str, title: list[str], entries: list[str]) -> str:
        if name == self.odd:
            title, entries = list(self.shows), list(self.offers)
        if name == "confirm" and self.untitled:
            self.untitled -= 1
        else:
            self.frame(*title)
        width = max(map(len, entries)) + 4
        chosen = 0
        while True:
            top, left = ROWS - len(entries) - 6, (COLUMNS - width) // 2
            self.box([entry.center(width - 4) for entry in entries], top, left, len(entries) + 2, width, 1, chosen)
            key = self.key()
            if key == "":
                raise Gone
            chosen = max(0, min(len(entries) - 1, chosen + {"Up": -1, "Down": 1}.get(key, 0)))
            if key == "Enter":
                return entries[chosen]

    def menu(self) -> None:
        asked = True
        while True:
            first = "Reboot" if self.changed else "Continue boot"
            entries = [first, *([ENTRY[self.request]] if asked and self.request in ENTRY else [])]
            entries += ["Enroll key from disk", "Enroll hash from disk"]
            entry = self.select("menu", ["Perform MOK management"], entries)
            if entry in (first, "OK"):
                return
            if entry != ENTRY.get(self.request):
                raise AssertionError(f"{entry} was chosen, which nobody may")
            if self.ask():
                self.changed, asked = True, self.stays

    def ask(self) -> bool:
        word = ENTRY[self.request].split()[0]
        while self.select("list", [f"[{word} MOK]"], ["View key 0", "Continue"]) == "View key 0":
            self.frame(*certificate())
            self.key()
        if self.select("confirm", [f"{word} the key(s)?"], ["No", "Yes"]) != "Yes":
            return False
        for _attempt in range(3):
            self.box(["Password:            "], ROWS - 8, 27, 3, 25, 1)
            if self.line() == self.password:
                return True
            self.select("wrong", ["ERROR", "", "Password doesn't match"], ["OK"])
        self.select("failed", ["Failed to enroll keys"], ["OK"])
        return False

    def line(self) -> str:
        typed = ""
        while (key := self.key()) != "Enter":
            if key == "":
                raise Gone
            typed += key if len(key) == 1 else ""
        self.typed.append(typed)
        return typed


def on_terminal(password: str, report: Path) -> None:
    import os
    import select
    import tty

    tty.setraw(0)

    def receive(patience: float) -> bytes:
        return os.read(0, 1) if select.select([0], [], [], patience)[0] else b""

    machine = MokManager(lambda data: (os.write(1, data), None)[1], receive, password)
    machine.boot()
    report.write_text(f"{machine.end} {machine.changed}", encoding="utf-8")
    time.sleep(1)


if __name__ == "__main__":
    on_terminal(sys.argv[1], Path(sys.argv[2]))
