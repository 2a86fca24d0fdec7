"""From what a host is asked to be to a machine that runs."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab import keys
from tests.lab.machine import disk, emulator, guest
from tests.lab.machine.kinds import Kind


def make(name: str, kind: Kind, image: Path, home: Path) -> None:
    """Gives the host a disk, a variable store of its own and what belongs to it alone."""
    disk.overlay(image, emulator.disk(home))
    shutil.copyfile(kind.variables, emulator.variables(home))
    own = home / "own"
    (own / "etc").mkdir(parents=True)
    (own / "root").mkdir()
    (own / "etc/hostname").write_text(f"{name}\n")
    (own / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
    keys.install(own, "0.0.0.0")
    guest.pack(own, emulator.belongings(home))
    shutil.rmtree(own)
