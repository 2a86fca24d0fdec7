"""What mediated devices cost: a run over sixteen where nothing is to be done, and one where one of them differs.

The devices are real ones, of the kernel's sample driver mtty, on a lab host in software emulation.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import uuid

from tests.bench.plays import PING, no_op, play, remote_executions, report
from tests.lab import inventory, keys
from tools.steps import ROOT

INVENTORY = ROOT / "tests" / "bench" / "mdev_inventory"
PLAYBOOK = ROOT / "tests" / "bench" / "mdev.yml"
COUNT = 16
NAMESPACE = uuid.UUID("9f4c1d1e-1c1b-4a0d-8a43-6f6a5f1f6e20")
TYPES = ("mtty-1", "mtty-2")


def rows(count: int, last: str = TYPES[0]) -> list[dict[str, str]]:
    """The declaration of ``count`` devices; the last of them is of the type ``last``."""
    names = [str(uuid.uuid5(NAMESPACE, str(number))) for number in range(count)]
    return [{"uuid": name, "parent": "mtty", "type": last if name == names[-1] else TYPES[0]} for name in names]


def words(devices: list[dict[str, str]], expected: list[str]) -> tuple[str, str]:
    """The playbook's variables. It fails when the module touches other devices than ``expected``."""
    return "-e", json.dumps({"devices": devices, "expected": expected})


def parse_folders(text: str) -> dict[str, str]:
    return dict(line.rsplit("/", 1)[1].split(" ") for line in text.splitlines())


def folders(address: str) -> dict[str, str]:
    """Each device's inode in sysfs, asked of the kernel: a device that is made anew gets another."""
    command = "stat --dereference --format '%n %i' /sys/bus/mdev/devices/*"
    done = subprocess.run(keys.ssh_command(address, [command]), capture_output=True, text=True, check=True)
    return parse_folders(done.stdout)


def differing(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def measure(rounds: int, address: str) -> None:
    everything = rows(COUNT)
    names = [row["uuid"] for row in everything]
    play(INVENTORY, PING)  # opens the connection, which is no part of what is measured
    made, _output = play(INVENTORY, PLAYBOOK, *words(everything, names))
    # In turns: what else the machine does meanwhile falls on all of them.
    pings, ones, alls, changes = [], [], [], []
    for number in range(rounds):
        pings.append(no_op(INVENTORY, PING))
        ones.append(no_op(INVENTORY, PLAYBOOK, *words(rows(1), [])))
        alls.append(no_op(INVENTORY, PLAYBOOK, *words(rows(COUNT, TYPES[number % 2]), [])))
        before = folders(address)
        changes.append(play(INVENTORY, PLAYBOOK, *words(rows(COUNT, TYPES[1 - number % 2]), names[-1:]))[0])
        anew = differing(before, folders(address))
        if anew != names[-1:]:
            sys.exit(f"One device of {COUNT} was declared anew, and the kernel has made these anew: {anew}")
    nothing = words(rows(COUNT, TYPES[rounds % 2]), [])
    started = remote_executions(play(INVENTORY, PLAYBOOK, *nothing, "-vvv")[1])
    ping = report("ping play", pings)
    report("no-op over 1 device", ones, ping)
    report(f"no-op over {COUNT} devices", alls, ping)
    report(f"1 of {COUNT} devices changed", changes, ping)
    report(f"{COUNT} devices made", [made], ping)
    print(f"remote executions of a no-op over {COUNT} devices: {len(started)}")
    print(f"devices that the module touched, and the kernel made anew, when 1 of {COUNT} was changed: 1")


def main(rounds: int) -> None:
    (host,) = inventory.hosts(str(INVENTORY), None)
    lab = [sys.executable, "-m", "tests.lab"]
    subprocess.run([*lab, "down", "-i", str(INVENTORY)], cwd=ROOT, check=True)
    subprocess.run([*lab, "up", "-i", str(INVENTORY)], cwd=ROOT, check=True)
    try:
        measure(rounds, host.address)
    finally:
        subprocess.run([*lab, "down", "-i", str(INVENTORY)], cwd=ROOT, check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    main(parser.parse_args().rounds)
