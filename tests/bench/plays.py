"""Runs playbooks, and reads from their output what they did."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tools.steps import ROOT, environment

PING = ROOT / "tests" / "bench" / "ping.yml"
SITE = ROOT / "site.yml"


class Spent(NamedTuple):
    """What a run has cost the controller, and what it said.

    ``cpu`` counts ansible-playbook, its workers and the ssh clients that they started, in user and system mode.
    ``peak_mib`` is the largest of these processes at its largest.
    """

    seconds: float
    cpu: float
    peak_mib: float
    output: str


def spent(inventory: Path, playbook: Path, *more: str, env: dict[str, str] | None = None) -> Spent:
    """Runs a playbook. A run that fails ends the benchmark with its output."""
    argv = ["ansible-playbook", "-i", str(inventory), str(playbook), *more]
    # with skipped tasks shown, a task's heading comes before what it starts on the target
    shown = {"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true"} if "-vvv" in more else {}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stream:
        since = time.perf_counter()
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=environment({**shown, **(env or {})}),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - since
        process.returncode = os.waitstatus_to_exitcode(status)
        stream.seek(0)
        output = stream.read()
    if process.returncode:
        sys.exit(f"{' '.join(argv)} failed:\n{output}")
    return Spent(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def play(inventory: Path, playbook: Path, *more: str) -> tuple[float, str]:
    """Runs a playbook: seconds and output."""
    run = spent(inventory, playbook, *more)
    return run.seconds, run.output


def changed(output: str) -> int:
    return sum(int(number) for number in re.findall(r"changed=(\d+)", output))


def recap(output: str) -> dict[str, dict[str, int]]:
    """By host, what the end of a run counts: ``{"gpu1": {"ok": 3, "changed": 0, …}}``."""
    lines = re.findall(r"^(\S+)\s+: (ok=.*)$", output, re.MULTILINE)
    return {host: {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line)} for host, line in lines}


def remote_executions(output: str) -> list[str]:
    """The tasks of a run with -vvv that really started something on the target, in order."""
    task, started = "", []
    for line in output.splitlines():
        heading = re.match(r"TASK \[(.*)\]", line)
        if heading:
            task = heading[1]
        elif " SSH: EXEC " in line:
            started.append(task)
    return started


def need_no_change(output: str) -> None:
    if changed(output):
        sys.exit(f"It changed something, so it was no no-op:\n{output}")


def no_op(inventory: Path, playbook: Path, *more: str) -> float:
    """The seconds of a run that must change nothing."""
    seconds, output = play(inventory, playbook, *more)
    need_no_change(output)
    return seconds


def report(title: str, rounds: list[float], ping: float | None = None) -> float:
    """Prints the median of some rounds, with its ratio to that of a play that only pings, and returns it."""
    median = statistics.median(rounds)
    ratio = f", {median / ping:.2f} x ping" if ping else ""
    print(f"{title:<26} {median:6.2f} s{ratio}  (median of {len(rounds)})", flush=True)
    return median
