"""Puts stand-ins for libnvidia-ml and libnvidia-cfg before NVIDIA's own, and takes them away with these."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .machine import HOME, library_version

FOLDER = HOME / "lib"
SEARCH = Path("/etc/ld.so.conf.d/000-gpu-simulator.conf")
CACHE = Path("/etc/ld.so.cache")
LOCK = Path("/run/gpu-simulator-libraries.lock")
STAND_INS = {"libnvidia-ml.so": HOME / "nvml_stand_in.so", "libnvidia-cfg.so": HOME / "nvcfg_stand_in.so"}


def wanted(given: str | None) -> dict[str, str]:
    """Gives the version of each library that a stand-in takes the place of: only of those that are installed."""
    versions = {name: library_version(name) or given for name in STAND_INS}
    return {name: version for name, version in versions.items() if version}


def present() -> dict[str, str]:
    found = {}
    for name in STAND_INS:
        files = [path.name.removeprefix(f"{name}.") for path in FOLDER.glob(f"{name}.*") if not path.is_symlink()]
        if files:
            found[name] = files[0]
    return found


def found_first(names: Iterable[str]) -> bool:
    """Says whether the linker's cache leads to the stand-ins: a package's ldconfig may have overtaken the one below."""
    cache = CACHE.read_bytes() if CACHE.exists() else b""
    return SEARCH.exists() and all(f"{FOLDER}/{name}.1\0".encode() in cache for name in names)


def place(given: str | None) -> None:
    """Makes the folder of stand-ins match the installed libraries; ``given`` is a version that counts as installed."""
    target = wanted(given)
    if target == present() and found_first(target):
        return
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        FOLDER.mkdir(parents=True, exist_ok=True)
        for old in FOLDER.iterdir():
            old.unlink()
        for name, version in wanted(given).items():
            # A file of its own, not a link: the stand-in learns its version from the name under which it was loaded.
            (FOLDER / f"{name}.{version}").write_bytes(STAND_INS[name].read_bytes())
            (FOLDER / f"{name}.1").symlink_to(f"{name}.{version}")
        SEARCH.write_text(f"{FOLDER}\n")
        subprocess.run(["ldconfig"], check=False)
