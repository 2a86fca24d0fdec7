"""`make bench`: what site.yml costs where nothing is to be done, against a play that only pings."""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tools.steps import ROOT, environment

INVENTORY = ROOT / "tests" / "bench" / "inventory"
PING = ROOT / "tests" / "bench" / "ping.yml"
SITE = ROOT / "site.yml"


def play(playbook: Path, *more: str) -> tuple[float, str]:
    """Runs a playbook against the lab: seconds and output. A run that fails ends the benchmark with that output."""
    argv = ["ansible-playbook", "-i", str(INVENTORY), "-l", "gpu_hosts", str(playbook), *more]
    since = time.perf_counter()
    # with skipped tasks shown, a task's heading comes before what it starts on the target
    env = environment({"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true"} if more else None)
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    subprocess.run([sys.executable, "-m", "tests.lab", "up", "-i", str(INVENTORY)], cwd=ROOT, check=True)
    print("bringing the host to its declared state …", flush=True)
    subprocess.run(
        ["ansible-playbook", "-i", str(INVENTORY), "-l", "gpu_hosts", str(SITE)],
        cwd=ROOT,
        env=environment(),
        check=True,
    )
    pings, sites = [], []
    for number in range(rounds):
        pings.append(play(PING)[0])
        seconds, output = play(SITE)
        sites.append(seconds)
        if changed(output):
            sys.exit(f"round {number + 1} changed something, so it was no no-op:\n{output}")
    tasks = remote_executions(play(SITE, "-vvv")[1])
    ping, site = statistics.median(pings), statistics.median(sites)
    print(f"ping play        {ping:6.2f} s  (median of {rounds})")
    print(f"no-op site.yml   {site:6.2f} s  (median of {rounds})")
    print(f"ratio            {site / ping:6.2f}")
    print(f"remote executions {len(tasks)}:")
    for task in tasks:
        print(f"  {task}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
