"""A no-op site.yml over ten real hosts of the lab at once, over SSH, with few and with many forks.

The ten stand on what the bench host has been converged to: its disk is a layer below theirs, so that no driver is built
ten times. Hosts and controller share this machine's cores, so the seconds are those of both together; the CPU is the
controller's.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import bench_host, declared
from tests.bench.plays import PING, SITE, Spent, need_no_change, spent
from tests.lab import host, keys, overlay
from tests.lab.record import Wanted
from tests.lab.record import folder as folder_of

COUNT = 10
RECORDS = "/var/lib/gpufleet/records/*.json"
FORKS = (5, 10)


def clones(original: Wanted, count: int) -> list[Wanted]:
    return [original._replace(name=f"benchssh{n}", address=f"127.0.10.{100 + n}") for n in range(1, count + 1)]


def layers(upper: Path, image: Path) -> Path:
    """The image of a clone, as the lab mounts it (``lowerdir=IMAGE/tree``): the original's changes over its image."""
    return Path(f"{upper}:{image}")


@contextmanager
def started(original: Wanted, count: int) -> Iterator[list[Wanted]]:
    """Hosts that stand on the original's disk. It is halted meanwhile: a layer below others must not change."""
    record = host.halt(original.name)
    if record is None:
        raise SystemExit(f"{original.name} is not there: `python -m tests.bench --parts ssh` makes it.")
    overlay.unmount(folder_of(original.name))
    image = layers(folder_of(original.name) / "upper", Path(record.image))
    wanted = clones(original, count)
    try:
        for one in wanted:
            host.start(host.make(one, image))
        yield wanted
    finally:
        for one in wanted:
            host.remove(one.name)
        host.up(original)


def declare(place: Path, hosts: list[Wanted]) -> None:
    """Lets each host's records say that it was converged with what is declared for it, not for the original."""
    digests = declared.digests(place)
    for one in hosts:
        command = f"""sed -i 's/"inputs": "[0-9a-f]*"/"inputs": "{digests[one.name]}"/' {RECORDS}"""
        subprocess.run(keys.ssh_command(one.address, [command]), check=True)


def shown(title: str, forks: int, runs: list[Spent]) -> None:
    seconds, cpu = statistics.median(run.seconds for run in runs), statistics.median(run.cpu for run in runs)
    print(
        f"{title:<16} forks {forks:>2} {seconds:7.2f} s, controller {1000 * cpu / COUNT:5.0f} ms of CPU a host",
        flush=True,
    )


def measure(rounds: int) -> None:
    with started(bench_host.wanted(), COUNT) as hosts, tempfile.TemporaryDirectory(prefix="bench-ssh-") as folder:
        addresses = {one.name: {"ansible_host": one.address} for one in hosts}
        place = bench_host.write_like(Path(folder, "inventory"), addresses, {})
        declare(place, hosts)
        bench_host.settle(place)
        for forks in FORKS:
            pings, sites = [], []
            for _round in range(min(rounds, 3)):
                pings.append(spent(place, PING, "--forks", str(forks)))
                sites.append(spent(place, SITE, "--forks", str(forks)))
                need_no_change(sites[-1].output)
            shown("ping play", forks, pings)
            shown("no-op site.yml", forks, sites)
            print(
                f"{'ratio':<16} {statistics.median(s[0] for s in sites) / statistics.median(p[0] for p in pings):.2f}"
            )
