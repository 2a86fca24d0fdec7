"""`make bench`: what site.yml costs where nothing is to be done, against a play that only pings."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

from tests.bench import mdev
from tests.bench.plays import PING, no_op, play, remote_executions
from tools.steps import ROOT, environment

INVENTORY = ROOT / "tests" / "bench" / "inventory"
SITE = ROOT / "site.yml"


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
    for _round in range(rounds):
        pings.append(no_op(INVENTORY, PING))
        sites.append(no_op(INVENTORY, SITE, "-l", "gpu_hosts"))
    tasks = remote_executions(play(INVENTORY, SITE, "-l", "gpu_hosts", "-vvv")[1])
    ping, site = statistics.median(pings), statistics.median(sites)
    print(f"ping play        {ping:6.2f} s  (median of {rounds})")
    print(f"no-op site.yml   {site:6.2f} s  (median of {rounds})")
    print(f"ratio            {site / ping:6.2f}")
    print(f"remote executions {len(tasks)}:")
    for task in tasks:
        print(f"  {task}")
    print("mediated devices:", flush=True)
    mdev.main(rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
