"""The machine's serial line: a socket for whoever sits at the console, and a transcript of all that was ever shown."""

from __future__ import annotations

from pathlib import Path


def console(home: Path) -> Path:
    """Gives the unix socket; one program at a time can be connected. What it sends are keys."""
    return home / "console.sock"


def transcript(home: Path) -> Path:
    return home / "console.log"


def options(home: Path) -> list[str]:
    """Nobody needs to be connected: output that nobody reads goes to the transcript alone and holds nothing up."""
    line = f"socket,id=console,path={console(home)},server=on,wait=off,logfile={transcript(home)},logappend=on"
    return ["-chardev", line, "-serial", "chardev:console"]
