# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line to a console: a program on a terminal of its own, a TCP port or a unix socket. pexpect does the work."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_terminal import COLUMNS, ROWS
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_transcript import lines

# A firmware's serial driver drops what is not taken from it at once, and QEMU's socket holds some 250 bytes: the thread
# that takes them must get its turn soon, whatever the rest of the program computes.
SWITCH = 0.0005
IDLE = 0.2
CONNECT = 10
# Seconds for a mark to come over the line, and for a command to say that it cannot have the console.
PROOF, ALIVE = 15, 3


class LineError(Exception):
    """The console cannot be had or is gone; the text is a sentence for people."""


class Line:
    """Reads and writes bytes; every failure is a LineError. A thread takes what comes, whatever else is done."""

    def __init__(self, child: Any, name: str) -> None:
        self._child, self.name = child, name
        self._came, self._more, self._ended = b"", threading.Condition(), False
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        self._taker = threading.Thread(target=self._take, daemon=True)
        self._taker.start()

    def _take(self) -> None:
        import pexpect

        while not self._ended:
            try:
                data = self._child.read_nonblocking(65536, IDLE)
            except pexpect.TIMEOUT:
                continue
            except (pexpect.EOF, OSError, ValueError):
                self._ended, data = True, b""
            with self._more:
                self._came += data
                self._more.notify()

    def read(self, patience: float) -> bytes:
        """Gives what came, within ``patience`` seconds at the latest; nothing is b""."""
        with self._more:
            if not self._came and not self._ended:
                self._more.wait(patience)
            data, self._came = self._came, b""
        if not data and self._ended:
            raise LineError(f"{self.name} has closed.")
        return data

    def write(self, data: bytes) -> None:
        try:
            self._child.send(data)
        except (OSError, ValueError) as exc:
            raise LineError(f"{self.name} has closed.") from exc

    def close(self) -> None:
        """Hangs up; what the console shows goes on without us."""
        self._ended = True
        self._taker.join(1)
        sys.setswitchinterval(self._interval)
        with suppress(Exception):  # whatever it says, the line is of no use to us any more
            self._child.close()


def prove(line: Line, mark: str) -> None:
    """Reads until ``mark`` came over the line, or for a while where ``mark`` is empty; LineError when it is gone."""
    came, end = b"", time.monotonic() + (PROOF if mark else ALIVE)
    while time.monotonic() < end:
        try:
            came += line.read(0.2)
        except LineError as exc:
            said = " / ".join(lines(came.decode("utf-8", "replace"))[-3:]) or "nothing"
            raise LineError(
                f"{line.name} ended before the host was rebooted; it said: {said}. Is the console in use by somebody "
                "else, or the command wrong? The host was not rebooted."
            ) from exc
        if mark and mark.encode() in came:
            return
    if mark:
        raise LineError(
            f"{line.name} does not show what the host writes on its console: it is another machine's, or another "
            "program has it, or the kernel has no console on this line (console=ttyS0 on its command line). The host "
            "was not rebooted. Where the last is so on purpose, set check_line to false."
        )


def named(console: dict[str, Any]) -> str:
    """Says which console is meant, for a sentence; the words of a command after its name may hold secrets."""
    if console.get("command"):
        return f"The console's command {console['command'][0]}"
    return f"The console at {console.get('tcp') or console.get('socket')}"


def open_line(console: dict[str, Any]) -> Line:
    """Attaches to the console. It raises LineError, or ImportError where pexpect is missing."""
    from pexpect import socket_pexpect

    if console.get("command"):
        return Line(spawned(console), named(console))
    try:
        return Line(socket_pexpect.SocketSpawn(connected(console)), named(console))
    except OSError as exc:
        raise LineError(
            f"{named(console)} cannot be reached from the controller ({exc.strerror or exc}). Nothing was pressed. Is "
            "the machine (or its console server) on, and may the user that runs Ansible use it?"
        ) from exc


def spawned(console: dict[str, Any]) -> Any:
    import pexpect

    first, *rest = [str(word) for word in console["command"]]
    given = {str(name): str(value) for name, value in (console.get("environment") or {}).items()}
    try:
        child = pexpect.spawn(first, rest, env={**os.environ, "TERM": "vt100", **given}, echo=False, encoding=None)
        child.setwinsize(ROWS, COLUMNS)
    except (pexpect.ExceptionPexpect, OSError) as exc:
        raise LineError(
            f"{named(console)} cannot be started on the controller. Install it there, or name another console. "
            "Nothing was pressed."
        ) from exc
    child.delaybeforesend = None
    return child


def connected(console: dict[str, Any]) -> socket.socket:
    if console.get("socket"):
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        one.settimeout(CONNECT)
        try:
            one.connect(str(console["socket"]))
        except OSError:
            one.close()
            raise
        return one
    host, port = re.fullmatch(r"\[?(.+?)\]?:(\d+)", str(console["tcp"])).groups()  # type: ignore[union-attr]
    return socket.create_connection((host, int(port)), CONNECT)
