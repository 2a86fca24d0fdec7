"""What a no-op site.yml costs the controller for each host, from one host to five hundred.

The hosts are stand-ins: each answers a module as the bench host has answered it. So nothing of a target's work is in
the figures, and of the connection only what Ansible itself does; an ssh client is not started.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.bench import answers, bench_host, declared
from tests.bench.plays import PING, SITE, Spent, need_no_change, play, recap, spent
from tests.bench.targets import Targets
from tools.steps import ROOT

STAND_INS = ROOT / "tests" / "bench" / "stand_ins"
PING_ANSWER = b'\n{"ping": "pong"}\n'
SIZES = (1, 10, 100, 500)
HOSTS_A_SIZE = 300  # small fleets are measured more often, up to so many hosts for a size
MOST_GROWTH = 1.2


class Cost(NamedTuple):
    hosts: int
    seconds: float
    cpu: float
    peak_mib: float


def rounds_for(hosts: int, rounds: int) -> int:
    return max(1, min(rounds, HOSTS_A_SIZE // max(1, hosts)))


def slope(less: Cost, more: Cost, of: Callable[[Cost], float]) -> float:
    """What each further host costs, between two sizes of fleet: what is the same for both is not in it."""
    return (of(more) - of(less)) / (more.hosts - less.hosts)


def cpu(cost: Cost) -> float:
    return cost.cpu


def share(cost: Cost, start: Cost) -> float:
    """CPU seconds for each host of a fleet, without what a run costs that finds no host."""
    return (cost.cpu - start.cpu) / cost.hosts


def growths(start: Cost, costs: list[Cost]) -> dict[str, float]:
    """How much dearer a host is in the largest fleet; ``costs`` are of three sizes or more, in their order.

    Two ways to take the start-up off: the run without a host, and the slope. The slope is the stricter one for what
    grows with the fleet: what is paid once, at the first host, is in the share of each and not in it.
    """
    few, middle, many = costs[-3:]
    return {
        f"CPU for each host, {many.hosts} against {few.hosts}": share(many, start) / share(few, start),
        f"CPU for each further host, {middle.hosts} to {many.hosts} against {few.hosts} to {middle.hosts}": (
            slope(middle, many, cpu) / slope(few, middle, cpu)
        ),
    }


def names(count: int) -> list[str]:
    return [f"simulated{number:03}" for number in range(1, count + 1)]


class Simulated:
    """Fleets of stand-ins, in a folder of their own, and runs over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers = folder / "answers"
        self.answers.mkdir()
        self.env = {"ANSIBLE_CONNECTION_PLUGINS": str(STAND_INS), "SIMULATED_ANSWERS": str(self.answers)}
        output = play(bench_host.INVENTORY, SITE, "-vvv")[1]
        need_no_change(output)
        self.recorded = answers.parse(output)
        (self.recap,) = recap(output).values()
        answers.save([*self.recorded, answers.Answer("ping", PING_ANSWER)], self.answers)

    def inventory(self, count: int) -> Path:
        place = self.folder / f"fleet{count}"
        if not place.exists():
            own = {"ansible_connection": "simulated_host_stand_in"}
            bench_host.write_like(place, {name: {} for name in names(count)}, own)
        return place

    def declare(self, count: int) -> None:
        """Lets each host's records say that it was converged with what is declared for it."""
        for name, digest in declared.digests(self.inventory(count), self.env).items():
            (self.answers / "inputs" / name).write_text(digest, encoding="utf-8")

    def run(self, count: int, playbook: Path) -> Spent:
        shutil.rmtree(self.answers / "done")
        (self.answers / "done").mkdir()
        return spent(self.inventory(count), playbook, env=self.env)

    def no_op(self, count: int) -> Spent:
        """A run over the whole fleet, every host of which must go the way that the real one went."""
        run = self.run(count, SITE)
        need_no_change(run.output)
        ends = recap(run.output)
        # What is done once for all hosts counts for one of them.
        astray = [host for host, end in ends.items() if end != self.recap]
        asked = {host.name: len(host.read_text(encoding="utf-8").split()) for host in self.answers.glob("done/*")}
        if len(ends) != count or len(astray) > 1 or asked != dict.fromkeys(names(count), len(self.recorded)):
            sys.exit(f"{len(astray)} of {count} hosts did not go the way of the recorded one:\n{run.output[-4000:]}")
        return run


def median(hosts: int, runs: list[Spent]) -> Cost:
    seconds, used, peak = (statistics.median(column) for column in zip(*(run[:3] for run in runs), strict=True))
    return Cost(hosts, seconds, used, peak)


def table(title: str, start: Cost, costs: list[Cost]) -> None:
    print(f"{title}: a run that finds no host takes {start.cpu:.2f} s of CPU and {start.peak_mib:.0f} MiB", flush=True)
    print(f"{'hosts':>6} {'wall s':>8} {'CPU s':>8} {'CPU ms a host':>14} {'without start':>14} {'peak MiB':>9}")
    for cost in costs:
        whole, own = 1000 * cost.cpu / cost.hosts, 1000 * share(cost, start)
        print(
            f"{cost.hosts:>6} {cost.seconds:>8.2f} {cost.cpu:>8.2f} {whole:>14.1f} {own:>14.1f} {cost.peak_mib:>9.0f}"
        )


def measured(sizes: list[int], rounds: int, run: Callable[[int], Spent]) -> list[Cost]:
    return [median(size, [run(size) for _round in range(rounds_for(size, rounds))]) for size in [0, *sizes]]


def measure(rounds: int, sizes: list[int], targets: Targets) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder:
        fleet = Simulated(Path(folder))
        fleet.declare(max(sizes))
        print(f"simulated hosts; each answers {len(fleet.recorded)} modules in a no-op", flush=True)
        bare, *pings = measured(sizes, rounds, lambda count: fleet.run(count, PING))
        table("ping play", bare, pings)
        start, *costs = measured(sizes, rounds, fleet.no_op)
        table("no-op site.yml", start, costs)
    if len(costs) < 3:
        return
    few, many = costs[-3], costs[-1]
    (whole, flat), (further, steep) = growths(start, costs).items()
    targets.judge(whole, flat, MOST_GROWTH)
    print(f"{further:<58} {steep:>7.2f}   no target: Ansible's own share grows as well, see below")
    for title, growth in growths(bare, pings).items():
        print(f"  the same of the ping play, which is Ansible's own: {growth:.2f}  ({title})")
    memory = 1024 * slope(few, many, lambda cost: cost.peak_mib)
    print(
        f"memory for each further host: {memory:.0f} KiB, {many.peak_mib:.0f} MiB with {many.hosts} hosts", flush=True
    )
