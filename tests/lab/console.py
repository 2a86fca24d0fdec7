"""What a person sees: one line when a step starts, and one every few seconds while it lasts."""

from __future__ import annotations

import collections
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

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
    """Says ``what`` at once, then again with the elapsed time every HEARTBEAT seconds, and how long it took in the end."""
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
    try:
        if log is None:
            done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            said, out = done.stderr or done.stdout, done.stdout
        else:
            with log.open("a", encoding="utf-8", errors="replace") as stream:
                start = stream.tell()
                done = subprocess.run(
                    words, env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, check=False
                )
            said, out = ("", "") if done.returncode == 0 else (read_from(log, start), "")
    except FileNotFoundError as exc:
        raise LabError(f"{words[0]} is not on this machine; the lab needs it.") from exc
    if done.returncode != 0:
        lines = "\n".join(f"    {line}" for line in collections.deque(said.strip().splitlines(), maxlen=12))
        where = f" (all of it is in {log})" if log else ""
        raise LabError(f"`{' '.join(words[:4])} …` ended with {done.returncode}{where}:\n{lines}")
    return out


def read_from(path: Path, start: int) -> str:
    with path.open(encoding="utf-8", errors="replace") as stream:
        stream.seek(start)
        return stream.read()
