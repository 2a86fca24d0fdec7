"""What site.yml costs where nothing is to be done, against a play that only pings: seconds, executions, bytes."""

from __future__ import annotations

from tests.bench import bench_host, wire
from tests.bench.plays import PING, SITE, need_no_change, no_op, play, remote_executions, report
from tests.bench.targets import Targets

MOST_PINGS = 2.5
MOST_EXECUTIONS = 2


def measure(rounds: int, targets: Targets) -> None:
    place, address = bench_host.INVENTORY, bench_host.wanted().address
    play(place, PING)  # opens the connection, which is no part of what is measured
    pings, sites = [], []
    for _round in range(rounds):
        pings.append(no_op(place, PING))
        sites.append(no_op(place, SITE))
    ping = report("ping play", pings)
    site = report("no-op site.yml", sites, ping)
    targets.judge("no-op site.yml against a ping play", site / ping, MOST_PINGS)
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
