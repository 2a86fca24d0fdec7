"""Runs a list of commands, one or a few at a time, says what runs and for how long, and sums up at the end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
HEARTBEAT_SECONDS = 30
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
REPEATED_LINES = 25


class Step(NamedTuple):
    name: str
    argv: Sequence[str]
    cwd: Path = ROOT
    env: dict[str, str] | None = None
    show: bool = False  # stream the output, where nothing else runs meanwhile, instead of showing it on failure only


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """The caller's environment with this checkout's collection first, and byte code kept (starts are twice as fast)."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["PATH"] = f"{Path(sys.executable).parent}:{env.get('PATH', '')}"
    env["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / "collections")
    env.setdefault("LC_ALL", "C.UTF-8")
    return {**env, **(extra or {})}


def decisive(text: str) -> str:
    """Gives what is worth repeating at the end of what a failed step wrote: the task that failed, or the last lines."""
    lines = [COLOUR.sub("", line)[:500] for line in text.splitlines()]
    fatal = next((n for n, line in enumerate(lines) if re.match(r"(fatal|failed): \[", line)), None)
    if fatal is None:
        return "\n".join(lines[-REPEATED_LINES:])
    first = max((n for n in range(fatal) if lines[n].startswith("TASK [")), default=fatal)
    return "\n".join(lines[max(first, fatal - REPEATED_LINES // 2) :][:REPEATED_LINES])


class Running:
    """A step that has been started, with what it has written so far."""

    def __init__(self, step: Step, log: Path | None) -> None:
        self.step, self.log = step, log
        self.since = self.told = time.monotonic()
        print(f"==> {step.name}", flush=True)
        with ExitStack() as stack:
            output = stack.enter_context(log.open("wb")) if log else None
            self.process = subprocess.Popen(
                list(step.argv),
                cwd=step.cwd,
                env=environment(step.env),
                stdout=output,
                stderr=output and subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def spent(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self.since), 60)
        return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"

    def written(self) -> str:
        """Gives all that it has written so far, where that was not streamed."""
        return self.log.read_text(encoding="utf-8", errors="replace").strip() if self.log else ""

    def tell(self) -> None:
        """Says now and then that it still runs, and which of Ansible's tasks it is at."""
        if self.log is None or time.monotonic() - self.told < HEARTBEAT_SECONDS:
            return
        self.told = time.monotonic()
        tasks = re.findall(r"^TASK \[(.*)\] \**$", self.written(), re.MULTILINE)
        print(f"    … {self.step.name}, {self.spent()}{': ' + tasks[-1] if tasks else ''}", flush=True)

    def report(self) -> bool:
        """Says how it ended, with its whole output when it failed; True when it succeeded."""
        ok, text = self.process.returncode == 0, self.written()
        if not ok and text:
            print(text, flush=True)
        closing = COLOUR.sub("", text.splitlines()[-1])[:120] if ok and text else ""
        what = f"{self.step.name}: " if self.step.show and self.log else ""
        print(f"    {what}{'ok' if ok else 'FAILED'} after {self.spent()}{closing and ': ' + closing}", flush=True)
        return ok

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()


def run_all(steps: Sequence[Step], lanes: int = 1) -> int:
    """Runs every step, also after a failure, ``lanes`` at a time; prints the sum; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        logs = [None if lanes == 1 and step.show else Path(folder, f"{n}.log") for n, step in enumerate(steps)]
        failed = _run(list(zip(steps, logs, strict=True)), lanes)
    for name, text in failed.items():
        print("\n".join([f"FAILED: {name}", *(f"    {line}" for line in decisive(text).splitlines())]))
    print(f"{len(steps) - len(failed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed else 0


def _run(waiting: list[tuple[Step, Path | None]], lanes: int) -> dict[str, str]:
    """Gives the names of those that failed, each with what it has written."""
    running, failed = list[Running](), dict[str, str]()
    try:
        while waiting or running:
            while waiting and len(running) < lanes:
                running.append(Running(*waiting.pop(0)))
            time.sleep(0.05)
            for one in running:
                one.tell()
            for one in [one for one in running if one.process.poll() is not None]:
                running.remove(one)
                if not one.report():
                    failed[one.step.name] = one.written()
    finally:
        for one in running:
            one.end()
    return failed
