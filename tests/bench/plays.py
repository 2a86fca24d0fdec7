"""Runs playbooks against a lab host, and reads from their output what they did."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tools.steps import ROOT, environment

PING = ROOT / "tests" / "bench" / "ping.yml"


def play(inventory: Path, playbook: Path, *more: str) -> tuple[float, str]:
    """Runs a playbook: seconds and output. A run that fails ends the benchmark with that output."""
    argv = ["ansible-playbook", "-i", str(inventory), str(playbook), *more]
    since = time.perf_counter()
    # with skipped tasks shown, a task's heading comes before what it starts on the target
    env = environment({"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true"} if "-vvv" in more else None)
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - since
    if done.returncode:
        sys.exit(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def changed(output: str) -> int:
    return sum(int(number) for number in re.findall(r"changed=(\d+)", output))


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


def no_op(inventory: Path, playbook: Path, *more: str) -> float:
    """The seconds of a run that must change nothing."""
    seconds, output = play(inventory, playbook, *more)
    if changed(output):
        sys.exit(f"It changed something, so it was no no-op:\n{output}")
    return seconds


def report(title: str, rounds: list[float], ping: float | None = None) -> float:
    """Prints the median of some rounds, with its ratio to that of a play that only pings, and returns it."""
    median = statistics.median(rounds)
    ratio = f", {median / ping:.2f} x ping" if ping else ""
    print(f"{title:<26} {median:6.2f} s{ratio}  (median of {len(rounds)})", flush=True)
    return median
