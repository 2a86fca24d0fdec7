"""What a host is asked to be, what the lab knows of one that it made, and which wishes cannot be met."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from tests.lab import image, process
from tests.lab.console import LabError
from tests.lab.machine import disk, serial
from tests.lab.places import HOSTS, KINDS, RELEASES

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")


class Wanted(NamedTuple):
    """What a host is asked to be; ``loaded`` is a driver version that is simulated as loaded from the start."""

    name: str
    release: str
    profile: str
    loaded: str | None
    address: str
    kernel: str = "buildable"
    kind: str = KINDS[0]

    @property
    def is_machine(self) -> bool:
        return self.kind != KINDS[0]


class Record(NamedTuple):
    """What the lab knows of a host that it made; kept as JSON in the host's folder."""

    name: str
    release: str
    profile: str
    loaded: str | None
    address: str
    image: str
    pid: int | None
    started: int | None
    kernel: str = "buildable"
    kind: str = KINDS[0]

    @property
    def running(self) -> bool:
        return process.is_ours(self.pid, self.started)

    def as_wanted(self) -> Wanted:
        return Wanted(self.name, self.release, self.profile, self.loaded, self.address, self.kernel, self.kind)

    @property
    def is_machine(self) -> bool:
        return self.kind != KINDS[0]

    def describe(self) -> dict[str, Any]:
        shown = {key: value for key, value in self._asdict().items() if key not in ("image", "pid", "started")}
        console = {"console": serial.console(self.address)} if self.is_machine else {}
        return {**shown, **console, "state": "up" if self.running else "stopped"}


def folder(name: str) -> Path:
    return HOSTS / name


def read(name: str) -> Record | None:
    try:
        return Record(**json.loads((folder(name) / "record.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save(record: Record) -> Record:
    path = folder(record.name) / "record.json"
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps(record._asdict(), indent=1) + "\n")
    partial.rename(path)
    return record


def every() -> list[Record]:
    names = sorted(path.name for path in HOSTS.glob("*") if path.is_dir())
    return [record for record in map(read, names) if record is not None]


def leftovers() -> list[str]:
    """Names folders of hosts whose making was interrupted so early that they have no record."""
    return sorted(path.name for path in HOSTS.glob("*") if path.is_dir() and read(path.name) is None)


def check(wanted: Wanted, others: list[Record]) -> None:
    """Raises LabError when the host cannot be made as wanted."""
    if not NAME.fullmatch(wanted.name):
        raise LabError(
            f"{wanted.name!r} cannot be a host's name here: small letters, digits and hyphens, at most 42, please."
        )
    if wanted.release not in RELEASES:
        raise LabError(f"{wanted.name}: lab_release is {wanted.release!r}; the lab has {' and '.join(RELEASES)}.")
    if not re.fullmatch(r"127(\.\d{1,3}){3}", wanted.address) or wanted.address == "127.0.0.1":
        raise LabError(f"{wanted.name}: its address {wanted.address} must be in 127.0.0.0/8, and not 127.0.0.1.")
    if wanted.kernel not in image.KERNELS:
        raise LabError(f"{wanted.name}: lab_kernel is {wanted.kernel!r}; it can be {' or '.join(image.KERNELS)}.")
    if wanted.kind not in KINDS:
        raise LabError(f"{wanted.name}: lab_kind is {wanted.kind!r}; it can be {' or '.join(KINDS)}.")
    if wanted.is_machine:
        check_machine(wanted)
    for other in others:
        if other.name != wanted.name and other.address == wanted.address:
            raise LabError(f"{wanted.name}: the host {other.name} has the address {wanted.address} already.")
        if other.name == wanted.name and other.as_wanted() != wanted:
            changed = [key for key in wanted._fields if getattr(other, key) != getattr(wanted, key)]
            differs = ", ".join(f"{key} {getattr(other, key)}, not {getattr(wanted, key)}" for key in changed)
            raise LabError(f"{wanted.name} exists with {differs}; run `python -m tests.lab down {wanted.name}` first.")


def check_machine(wanted: Wanted) -> None:
    """Raises LabError for what only containers can have: nothing is simulated in a machine."""
    what = f"{wanted.name}: a host with lab_kind {wanted.kind}"
    if wanted.release not in disk.RELEASES:
        raise LabError(f"{what} has lab_release {' or '.join(disk.RELEASES)}.")
    if wanted.profile != "none" or wanted.loaded:
        raise LabError(f"{what} has no card: leave out lab_profile and lab_loaded.")
    if wanted.kernel != image.KERNELS[0]:
        raise LabError(f"{what} has its modules built in: its lab_kernel is {image.KERNELS[0]}.")
