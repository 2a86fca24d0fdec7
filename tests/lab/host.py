"""One host: its record, and what becomes of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from tests.lab import image, keys, overlay, packages, process, stand_ins
from tests.lab.console import LabError, duration, say
from tests.lab.places import HOSTS, RELEASES

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")
NAMESPACE = uuid.UUID("5f0f2c1e-6d5b-4c55-9a0e-3f6d8c0a7b11")
START_LIMIT = 60.0


class Wanted(NamedTuple):
    """What a host is asked to be; ``loaded`` is a driver version that is simulated as loaded from the start."""

    name: str
    release: str
    profile: str
    loaded: str | None
    address: str
    kernel: str = "buildable"


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

    @property
    def running(self) -> bool:
        return process.is_ours(self.pid, self.started)

    def as_wanted(self) -> Wanted:
        return Wanted(self.name, self.release, self.profile, self.loaded, self.address, self.kernel)

    def describe(self) -> dict[str, Any]:
        shown = {key: value for key, value in self._asdict().items() if key not in ("image", "pid", "started")}
        return {**shown, "state": "up" if self.running else "stopped"}


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
    for other in others:
        if other.name != wanted.name and other.address == wanted.address:
            raise LabError(f"{wanted.name}: the host {other.name} has the address {wanted.address} already.")
        if other.name == wanted.name and other.as_wanted() != wanted:
            changed = [key for key in wanted._fields if getattr(other, key) != getattr(wanted, key)]
            differs = ", ".join(f"{key} {getattr(other, key)}, not {getattr(wanted, key)}" for key in changed)
            raise LabError(f"{wanted.name} exists with {differs}; run `python -m tests.lab down {wanted.name}` first.")


def furnish(root: Path, wanted: Wanted) -> None:
    """Writes what belongs to this one host into its tree."""
    outer = Path("/etc/hosts").read_text(encoding="utf-8") if Path("/etc/hosts").exists() else ""
    lines = [line for line in outer.splitlines() if wanted.name not in line.split()[1:]]
    (root / "etc/hosts").write_text("\n".join([*lines, f"{wanted.address} {wanted.name}", ""]))
    (root / "etc/hostname").write_text(f"{wanted.name}\n")
    (root / "etc/machine-id").write_text(f"{uuid.uuid5(NAMESPACE, wanted.name).hex}\n")
    keys.install(root, wanted.address)
    stand_ins.install(root, wanted.profile, wanted.loaded)


def up(wanted: Wanted) -> Record:
    """Makes and starts a host; one that is up stays as it is, one that was shut down starts again with its disk."""
    with image.locked(HOSTS / f".{wanted.name}.lock", f"{wanted.name}: another lab is at work on it, waiting"):
        record = read(wanted.name)
        check(wanted, every())
        if record and record.running:
            say(f"{wanted.name}: is up at {wanted.address}")
            return record
        tree = Path(record.image) if record else image.provide(wanted.release, wanted.kernel)
        began = time.monotonic()
        try:
            started = start(record or make(wanted, tree))
        except BaseException:
            if record:  # a host that had been made before keeps its disk
                halt(wanted.name)
            else:
                remove(wanted.name)
            raise
        took = duration(time.monotonic() - began)
        say(f"{wanted.name}: started in {took} ({wanted.release}, {wanted.profile}, {wanted.address})")
        return started


def make(wanted: Wanted, tree: Path) -> Record:
    destroy(wanted.name)
    home = folder(wanted.name)
    home.mkdir(parents=True)
    for other in every():
        packages.collect(other.release, folder(other.name) / "archives")
    packages.hand_out(wanted.release, home / "archives")
    record = save(Record(**wanted._asdict(), image=str(tree), pid=None, started=None))
    furnish(overlay.mount(tree, home), wanted)
    return record


def start(record: Record) -> Record:
    home = folder(record.name)
    process.stop(record.name, record.pid, record.started)
    root = overlay.mount(Path(record.image), home)
    log = home / "console.log"
    pid = process.start(record.name, root, {home / "archives": "/var/cache/apt/archives"}, log)
    record = save(record._replace(pid=pid, started=process.start_time(pid)))
    wait_for_login(record, log)
    return record


def wait_for_login(record: Record, log: Path) -> None:
    end = time.monotonic() + START_LIMIT
    while True:
        probe = subprocess.run(
            keys.ssh_command(record.address, ["true"]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if probe.returncode == 0:
            return
        if not record.running or time.monotonic() > end:
            tail = "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-12:])
            raise LabError(
                f"{record.name}: no login over SSH ({probe.stderr.strip()}). The end of its console:\n{tail}"
            )
        time.sleep(0.1)


def halt(name: str) -> Record | None:
    """Ends the host's processes and gives its record."""
    record = read(name)
    process.stop(name, record.pid if record else None, record.started if record else None)
    return record


def destroy(name: str) -> bool:
    """Ends the host's processes, unmounts and deletes its folder; says whether there was anything."""
    home, record = folder(name), halt(name)
    if record:
        packages.collect(record.release, home / "archives")
    overlay.unmount(home)
    if overlay.mounted_under(home):
        raise LabError(f"{name}: something is still mounted under {home}; nothing was deleted.")
    existed = home.exists()
    shutil.rmtree(home, ignore_errors=True)
    return existed


def remove(name: str) -> bool:
    """Takes a host down for good."""
    existed = destroy(name)
    if existed:
        say(f"{name}: removed")
    return existed
