"""What site.yml costs where nothing is to be done, against a play that only pings: seconds, executions, bytes."""

from __future__ import annotations

import statistics

from tests.bench import bench_host, wire
from tests.bench.plays import PING, SITE, Spent, need_no_change, play, remote_executions, report, spent
from tests.bench.targets import Targets

MOST_PINGS = 2.5
MOST_EXECUTIONS = 2


def controller(runs: list[Spent]) -> float:
    return statistics.median(run.cpu for run in runs)


def measure(rounds: int, targets: Targets) -> None:
    place, address = bench_host.INVENTORY, bench_host.wanted().address
    play(place, PING)  # opens the connection, which is no part of what is measured
    pings, sites = [], []
    for _round in range(rounds):
        pings.append(spent(place, PING))
        sites.append(spent(place, SITE))
        need_no_change(sites[-1].output)
    ping = report("ping play", [run.seconds for run in pings])
    site = report("no-op site.yml", [run.seconds for run in sites], ping)
    targets.judge("no-op site.yml against a ping play", site / ping, MOST_PINGS)
    ours, theirs = controller(sites), controller(pings)
    print(f"controller's CPU: {theirs:.2f} s for the ping play, {ours:.2f} s for site.yml, {ours / theirs:.2f} x ping")
    _seconds, output = play(place, SITE, "-vvv")
    need_no_change(output)
    tasks = remote_executions(output)
    targets.judge("remote executions of a no-op site.yml", len(tasks), MOST_EXECUTIONS)
    for task in tasks:
        print(f"  {task}")
    for title, playbook in (("ping play", PING), ("no-op site.yml", SITE)):
        before = wire.counted(address)
        play(place, playbook)
        went = wire.counted(address).since(before)
        print(f"bytes of a {title:<15} {went.sent:>8} to the host, {went.received:>8} from it", flush=True)
