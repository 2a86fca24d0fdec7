"""What becomes of a host: it is made, started, halted and removed."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from pathlib import Path

from tests.lab import image, keys, overlay, packages, process, stand_ins, transcript
from tests.lab.console import LabError, duration, say, step
from tests.lab.machine import disk, emulator, glue, serial
from tests.lab.machine.kinds import MACHINES
from tests.lab.places import HOSTS
from tests.lab.record import Record, Wanted, check, every, folder, leftovers, read, save

__all__ = ["Record", "Wanted", "check", "every", "leftovers", "read", "remove", "up"]

NAMESPACE = uuid.UUID("5f0f2c1e-6d5b-4c55-9a0e-3f6d8c0a7b11")
START_LIMITS = {
    "container": 60.0,
    "secure_boot": 400.0,
    "mediated_devices": 400.0,
}  # in software emulation, while others use the machine too


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
        tree = Path(record.image) if record else provide(wanted)
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
        what = MACHINES[wanted.kind].title if wanted.is_machine else wanted.profile
        say(f"{wanted.name}: started in {took} ({wanted.release}, {what}, {wanted.address})")
        return started


def provide(wanted: Wanted) -> Path:
    """Gives the image that the host will stand on."""
    if wanted.is_machine:
        return disk.provide(wanted.release, wanted.kind)
    return image.provide(wanted.release, wanted.kernel)


def make(wanted: Wanted, tree: Path) -> Record:
    destroy(wanted.name)
    home = folder(wanted.name)
    home.mkdir(parents=True)
    if wanted.is_machine:
        glue.make(wanted.name, MACHINES[wanted.kind], tree, home)
        return save(Record(**wanted._asdict(), image=str(tree), pid=None, started=None))
    for other in every():
        packages.collect(other.release, folder(other.name) / "archives")
    packages.hand_out(wanted.release, home / "archives")
    record = save(Record(**wanted._asdict(), image=str(tree), pid=None, started=None))
    furnish(overlay.mount(tree, home), wanted)
    return record


def start(record: Record) -> Record:
    home = folder(record.name)
    if record.is_machine:
        pid = emulator.start(record.name, MACHINES[record.kind], home, record.address)
        record = save(record._replace(pid=pid, started=process.start_time(pid)))
        with step(f"{record.name}: booting in software emulation; its console is {serial.console(record.address)}"):
            wait_for_login(record)
        return record
    process.stop(record.name, record.pid, record.started)
    root = overlay.mount(Path(record.image), home)
    archives = {home / "archives": "/var/cache/apt/archives"}
    pid = process.start(record.name, root, archives, transcript.path(home))
    record = save(record._replace(pid=pid, started=process.start_time(pid)))
    wait_for_login(record)
    return record


def wait_for_login(record: Record) -> None:
    end = time.monotonic() + START_LIMITS[record.kind]
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
            tail = "\n".join(f"    {line}" for line in transcript.tail(folder(record.name), 12))
            raise LabError(
                f"{record.name}: no login over SSH ({probe.stderr.strip()}). The end of its console:\n{tail}"
            )
        time.sleep(0.1)


def halt(name: str) -> Record | None:
    """Ends the host's processes and gives its record."""
    record = read(name)
    if record and record.is_machine:
        emulator.stop(record.pid, record.started)
    else:
        process.stop(name, record.pid if record else None, record.started if record else None)
    return record


def restart(name: str) -> bool:
    """Cuts a host's power and starts it again with its disk; says whether there is such a host."""
    record = halt(name)
    if record:
        start(record)
    return record is not None


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
