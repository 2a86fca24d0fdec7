# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in a process of its own, for a call that may hang where no signal arrives: into a sick driver.

Whoever waits for such a process hangs with it. So it holds none of our streams, its answer alone is waited for, and it
is left when time is over. It is a fork: everything that Python has loaded is there already.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import time
from collections import namedtuple

# result: a function that waits for what the work gives, a text: "" when its process died, None when time was over
Begun = namedtuple("Begun", "result")

GRACE = 1  # seconds for reading an answer that is asked for after its time


def begin(work, seconds):
    """Begins *work*, a function that gives a text, and does not wait for it.

    :param seconds: that it may take from now on
    :returns: Begun, whose result is to be asked for once
    """
    end = time.monotonic() + seconds
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        _answer(work, writer)
    os.close(writer)

    def result():
        answer = _read(reader, max(end, time.monotonic() + GRACE))
        os.close(reader)
        os.kill(process, signal.SIGKILL)  # it may hang; nobody else can have its number while we have not waited for it
        os.waitpid(process, os.WNOHANG)
        return answer

    return Begun(result)


def _answer(work, writer):
    """The process's whole life."""
    gc.disable()  # for so short a life; it would have the pages copied of all that it looks at
    try:
        os.closerange(3, writer)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        with os.fdopen(writer, "w", encoding="utf-8") as out:
            out.write(work())
    finally:
        os._exit(0)


def _read(reader, end):
    answer = b""
    while select.select([reader], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(reader, 65536)
        if not part:
            return answer.decode("utf-8", "replace")
        answer += part
    return None
