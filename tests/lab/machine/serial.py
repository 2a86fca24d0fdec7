"""The machine's serial line: a port for whoever sits at the console, and a transcript of all that was ever shown."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

from tests.lab import transcript

PORT = 2223


def console(address: str) -> str:
    """Gives where the console is, as ``host:port``; one program at a time can be connected. What it sends are keys.

    TCP, because a unix socket is full after some 250 unread bytes, and the firmware drops what it draws meanwhile.
    """
    return f"{address}:{PORT}"


def options(home: Path, address: str) -> list[str]:
    """Nobody needs to be connected: output that nobody reads goes to the transcript alone and holds nothing up."""
    where = f"host={address},port={PORT},server=on,wait=off,nodelay=on"
    line = f"socket,id=console,{where},logfile={transcript.path(home)},logappend=on"
    return ["-chardev", line, "-serial", "chardev:console"]


def is_open(address: str) -> bool:
    with suppress(OSError), socket.create_connection((address, PORT), timeout=1):
        return True
    return False
