# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores after a boot what the hardware forgets of a vGPU host: virtual functions, modes, and virtual GPUs.

It runs on the host with Python's standard library alone. What is right is not touched, and nothing is ever removed. It
ends with 0 when all is as declared, with 1 when something is not, each with a line, and with 2 when the declared state
cannot be used.
"""

from __future__ import annotations

import argparse
import json
import re
import sys

import vgpu_cards as cards
from machine import Clock, Journal, Machine

STATE = "/etc/gpufleet/vgpu-host.json"
DEFINED = "/etc/mdevctl.d"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
WORD = re.compile(r"[\w.:-]+")
PAUSE = 2  # seconds between two looks
TRIES = 3


class Restore:
    """What a run knows: the host, its clock, the journal, and whether it only looks (*check*)."""

    def __init__(self, machine, clock, journal, check):
        self.machine, self.clock, self.journal, self.check = machine, clock, journal, check

    def everything(self, state):
        """In the order in which the hardware takes it. What fails does not keep the rest from coming back."""
        deadline = self.clock.now() + float(state.get("timeout", 120))
        for name in state.get("modules", []):
            self.module(name)
        for row in state.get("cards", []):
            self.wait(deadline, f"{cards.PCI}/{row['address']}")
            self.card(row)
        for row in state.get("devices", []):
            function, parent = f"{cards.PCI}/{row['parent']}/nvidia/current_vgpu_type", f"{cards.BUS}/{row['parent']}"
            self.wait(deadline, function, parent)
            if self.machine.exists(function):
                self.function(row)
            elif self.machine.exists(parent):
                self.device(row)
            else:
                self.journal.fail(
                    f"{row['parent']} offers no virtual GPUs: {row.get('uuid') or row['type']} is missing"
                )

    def wait(self, deadline, *paths):
        """Until one of the paths is there, or the time is over."""
        while not any(self.machine.exists(path) for path in paths) and self.clock.now() < deadline:
            self.clock.sleep(PAUSE)

    def module(self, name):
        if self.machine.exists(f"/sys/module/{name.replace('-', '_')}"):
            return
        self.journal.say(f"Load the module {name}")
        told = None if self.check else self.machine.run(["modprobe", name], timeout=cards.PATIENCE)
        if told and told.rc:
            self.journal.fail(f"The module {name} does not load: {(told.err or told.out).strip()}")

    def card(self, row):
        want = cards.wanted(row)
        try:
            if not self.machine.exists(f"{cards.PCI}/{want['address']}"):
                raise cards.Refused(f"No card is at {want['address']}.")
            for step in cards.plan(want, cards.observe(self.machine, want)):
                self.journal.say(step.says)
                if not self.check:
                    cards.carry_out(self.machine, step, self.clock.sleep)
        except cards.Refused as exc:
            self.journal.fail(str(exc))

    def function(self, row):
        """A virtual GPU of the vendor-specific interface: a number in a file of its virtual function."""
        folder = f"{cards.PCI}/{row['parent']}"
        there = cards.number(self.machine.read(f"{folder}/nvidia/current_vgpu_type"))
        wanted = cards.number(row["type"].rsplit("-", 1)[-1])
        if there == wanted:
            return
        if there:
            self.journal.fail(f"{row['parent']} has the type nvidia-{there}, not {row['type']}; it is left alone")
            return
        self.journal.say(f"Create a {row.get('name') or row['type']} on {row['parent']}")
        if self.check:
            return
        refusal = self.machine.poke(f"{folder}/nvidia/current_vgpu_type", str(wanted))
        refusal = refusal or self.parameters(folder, row)
        if refusal:
            self.journal.fail(f"{row['type']} on {row['parent']}: the driver refused: {refusal}")

    def device(self, row):
        """A mediated device, with the UUID that the virtual machine's definition names."""
        where, kind, there = f"{row['uuid']} on {row['parent']}", self.kind(row), self.running(row["uuid"])
        if there == (row["parent"], kind):
            return
        if there:
            self.journal.fail(f"{row['uuid']} is a {there[1]} on {there[0]}, not a {kind}; it is left alone")
            return
        self.journal.say(f"Create {where} as {row.get('name') or kind}")
        refusal = None
        for turn in range(0 if self.check else TRIES):
            refusal = self.create(row, kind)
            if not refusal or self.running(row["uuid"]) == (row["parent"], kind):
                return
            self.clock.sleep(PAUSE * (turn + 1))
        if refusal:
            self.journal.fail(f"{where} as {kind}: refused: {refusal}")

    def kind(self, row):
        """The id of the type on its parent: by its name, since a driver may number anew, else the declared one."""
        base, name = f"{cards.BUS}/{row['parent']}/mdev_supported_types", row.get("name")
        names = {
            entry: (self.machine.read(f"{base}/{entry}/name") or entry).strip() for entry in self.machine.entries(base)
        }
        if not name or names.get(row["type"]) == name:
            return row["type"]
        return next((entry for entry in sorted(names) if names[entry] == name), row["type"])

    def running(self, uuid):
        """(parent, id of the type) of a mediated device, or None."""
        path = f"{cards.MEDIATED}/{uuid}"
        if not self.machine.exists(path):
            return None
        base = self.machine.real(path)
        return base.rsplit("/", 2)[-2], cards.last(self.machine.link(f"{base}/mdev_type"))

    def create(self, row, kind):
        """The refusal, or None. A definition of mdevctl is used where there is one: it knows the parameters."""
        if row.get("backend") != "sysfs" and self.machine.exists(f"{DEFINED}/{row['parent']}/{row['uuid']}"):
            words = ["mdevctl", "start", "--uuid", row["uuid"], "--parent", row["parent"]]
            told = self.machine.run(words, timeout=cards.PATIENCE)
            if told.rc != 127:
                return ((told.err or told.out).strip() or f"mdevctl ended with {told.rc}") if told.rc else None
        base = f"{cards.BUS}/{row['parent']}/mdev_supported_types/{kind}"
        if not self.machine.exists(base):
            return f"{row['parent']} offers no type {kind}"
        return self.machine.poke(f"{base}/create", row["uuid"]) or self.parameters(
            f"{cards.MEDIATED}/{row['uuid']}", row
        )

    def parameters(self, folder, row):
        pairs = row.get("parameters") or {}
        text = ",".join(f"{name}={pairs[name]}" for name in sorted(pairs))
        return self.machine.poke(f"{folder}/nvidia/vgpu_params", text) if pairs else None


def parse(text):
    """The declared state.

    :raises ValueError: with what is wrong, and others for a shape that is none
    """
    state = json.loads(text)
    if not isinstance(state, dict) or state.get("version") != 1:
        raise ValueError("it is not version 1 of the declared state")
    for row in state.get("devices", []):
        if not WORD.fullmatch(row["parent"]) or not WORD.fullmatch(row["type"]):
            raise ValueError(f"{row} has no good parent or type")
        if row.get("uuid") is not None and not UUID.fullmatch(row["uuid"]):
            raise ValueError(f"{row['uuid']} is no UUID")
    return state


def main(argv=None, clock=Clock, journal=None, machine=None):
    parser = argparse.ArgumentParser(prog="gpufleet-vgpu-restore", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--state", default=STATE, help="the declared state (default: %(default)s)")
    parser.add_argument("--root", default="", help="a folder that stands in for the host's files, for tests")
    given = parser.parse_args(argv)
    machine, journal = machine or Machine(given.root), journal or Journal()
    try:
        state = parse(machine.read(given.state) or "")
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        journal.fail(f"{given.state} cannot be used: {exc}. Run the role gpufleet.nvidia.vgpu_host again.")
        return 2
    Restore(machine, clock, journal, given.check).everything(state)
    count = len(state.get("devices", []))
    journal.say(f"{count} virtual GPUs are declared, {journal.failures} failures.")
    return 1 if journal.failures else 0


if __name__ == "__main__":
    sys.exit(main())
