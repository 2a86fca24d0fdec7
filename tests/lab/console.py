"""What a person sees: one line when a step starts, and one every few seconds while it lasts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

HEARTBEAT = 10.0


class LabError(Exception):
    """The one exception for failures that the lab can explain; its text is a sentence for people."""


def say(text: str) -> None:
    print(f"[lab] {text}", flush=True)


def warn(text: str) -> None:
    print(f"[lab] {text}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Gives ``0.4 s``, ``45 s`` or ``3 min 05 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 100 else f"{whole // 60} min {whole % 60:02d} s"


@contextmanager
def step(what: str) -> Iterator[None]:
    """Says ``what`` at once, every HEARTBEAT seconds with the elapsed time, and how long it took in the end."""
    started = time.monotonic()
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT):
            say(f"{what} … {duration(time.monotonic() - started)}")

    say(f"{what} …")
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    say(f"{what}: done in {duration(time.monotonic() - started)}")


def run(argv: Sequence[str | Path], *, log: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Runs ``argv`` and gives its standard output; a failure becomes a LabError with the last lines of what was said.

    With ``log``, output and errors are appended to that file instead and "" is given.
    """
    words = [str(word) for word in argv]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    with log.open("ab") if log else tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = out.tell()
        try:
            child = subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out if log else err,
                start_new_session=True,
            )
        except FileNotFoundError as exc:
            raise LabError(f"{words[0]} is not on this machine; the lab needs it.") from exc
        code = wait(child)
        said = log.read_bytes()[began:] if log else contents(out)
        if code != 0:
            spoken = (b"" if log else contents(err)) or said
            last = "\n".join(f"    {line}" for line in spoken.decode(errors="replace").strip().splitlines()[-12:])
            where = f" (all of it is in {log})" if log else ""
            raise LabError(f"`{' '.join(words[:4])} …` ended with {code}{where}:\n{last}")
    return "" if log else said.decode(errors="replace")


def contents(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    return stream.read()


def wait(child: subprocess.Popen[bytes]) -> int:
    """Waits for a program; when we are interrupted it is ended first, with all that it has started."""
    try:
        return child.wait()
    except BaseException:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(child.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=10)
                break
        raise
