"""`make bench`: what runs cost, as ratios of things measured in one run, each with its target beside it."""

from __future__ import annotations

import argparse
import sys

from tests.bench import bench_host, first, fleet, mdev, no_op, over_ssh
from tests.bench.targets import Targets

PARTS = {
    "noop": "site.yml with nothing to do, against a ping play",
    "first": "the first converge of a bare host, against a bare installation of the same packages (takes minutes)",
    "fleet": "the controller's work for simulated hosts",
    "ssh": "ten hosts of the lab at once",
    "mdev": "sixteen mediated devices",
}


def listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def sizes(text: str) -> list[int]:
    return sorted({int(word) for word in listed(text)})


def parts(text: str) -> list[str]:
    unknown = [name for name in listed(text) if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return [name for name in PARTS if name in listed(text)]


def parser() -> argparse.ArgumentParser:
    shown = "; ".join(f"{name}: {title}" for name, title in PARTS.items())
    top = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    top.add_argument("--parts", type=parts, default=list(PARTS), metavar="NAME,…", help=f"default: all. {shown}")
    top.add_argument("--rounds", type=int, default=5, help="how often what takes seconds is measured")
    top.add_argument(
        "--sizes", type=sizes, default=list(fleet.SIZES), metavar="N,…", help="simulated fleets: how many hosts"
    )
    return top


def main() -> int:
    args = parser().parse_args()
    targets = Targets()
    if {"noop", "fleet", "ssh"} & set(args.parts):
        bench_host.ready()
    work = {
        "noop": lambda: no_op.measure(args.rounds, targets),
        "first": lambda: first.measure(targets),
        "fleet": lambda: fleet.measure(args.rounds, args.sizes, targets),
        "ssh": lambda: over_ssh.measure(args.rounds),
        "mdev": lambda: mdev.main(args.rounds),
    }
    for name in args.parts:
        print(f"== {name}: {PARTS[name]}", flush=True)
        work[name]()
    return targets.status()


if __name__ == "__main__":
    sys.exit(main())
