"""The host that most parts measure: made, brought to its declared state, and inventories of more hosts like it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.bench.plays import SITE, changed, spent
from tests.lab import inventory
from tests.lab.record import Wanted
from tools.steps import ROOT

INVENTORY = ROOT / "tests" / "bench" / "inventory"
GROUP_VARS = ROOT / "inventories" / "lab" / "group_vars"
MOST_RUNS = 3


def lab(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "tests.lab", *words], cwd=ROOT, check=True)


def wanted() -> Wanted:
    (host,) = inventory.hosts(str(INVENTORY), None)
    return host


def settle(place: Path, *more: str) -> None:
    """Runs site.yml until it changes nothing, and what it has left behind counts as the state that was found."""
    for number in range(MOST_RUNS):
        run = spent(place, SITE, *more)
        print(f"site.yml, run {number + 1}: {changed(run.output)} changes in {run.seconds:.0f} s", flush=True)
        if not changed(run.output):
            return
    sys.exit(f"site.yml still changes something in run {MOST_RUNS}: there is no no-op to measure.")


def ready() -> None:
    lab("up", "-i", str(INVENTORY))
    settle(INVENTORY)


def like(declared: dict[str, Any], hosts: dict[str, dict[str, Any]], own: dict[str, Any]) -> dict[str, Any]:
    """The inventory ``declared`` of one host with ``hosts`` in its place: groups and their variables stay as they are.

    ``own`` are variables of all hosts.
    """
    groups = {
        name: {**group, "hosts": hosts if number == 0 else dict.fromkeys(hosts)}
        for number, (name, group) in enumerate(declared["all"]["children"].items())
    }
    return {"all": {"children": groups, "vars": own}}


def write_like(folder: Path, hosts: dict[str, dict[str, Any]], own: dict[str, Any]) -> Path:
    """Writes an inventory of hosts for which the same is declared as for the bench host."""
    declared = yaml.safe_load((INVENTORY / "hosts.yml").read_text(encoding="utf-8"))
    folder.mkdir()
    (folder / "group_vars").symlink_to(GROUP_VARS)
    (folder / "hosts.yml").write_text(yaml.safe_dump(like(declared, hosts, own)), encoding="utf-8")
    return folder
