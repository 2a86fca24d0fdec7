"""The packages that hosts have downloaded are kept, so that the next host of the release does not download them again.

Each host has a folder of its own with apt's own locks in it, filled with hard links: two hosts never write to one file.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.lab.places import PACKAGES


def link(source: Path, target: Path) -> None:
    """Links, or copies across file systems; a target that exists stays, a source that went away meanwhile is none."""
    if target.exists():
        return
    try:
        os.link(source, target)
    except (FileExistsError, FileNotFoundError):
        return
    except OSError:
        partial = target.with_suffix(f".{os.getpid()}")
        shutil.copy2(source, partial)
        partial.rename(target)


def shelf(release: str) -> Path:
    return PACKAGES / release / "archives"


def hand_out(release: str, archives: Path) -> None:
    """Gives the host's folder ``archives`` every package that was downloaded before."""
    archives.mkdir(parents=True, exist_ok=True)
    for package in shelf(release).glob("*.deb"):
        link(package, archives / package.name)


def collect(release: str, archives: Path) -> None:
    """Keeps what the host has downloaded. apt puts a file at this place only when it is complete."""
    shelf(release).mkdir(parents=True, exist_ok=True)
    for package in archives.glob("*.deb"):
        link(package, shelf(release) / package.name)
