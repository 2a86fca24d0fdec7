"""The simulator's commands, run in a lab host: boot, load MODULE-FILE, unload MODULE, libraries."""

from __future__ import annotations

import errno
import fcntl
import json
import sys
import time
from pathlib import Path
from typing import Any

from . import libraries, machine, present
from .decide import NVIDIA_MODULES, Loaded, Module, at_boot, usual_flavour, with_nouveau, with_nvidia

STATE = present.RUN / "loaded.json"
INTERVAL = 0.1  # seconds between two looks at the libraries


def keep(loaded: Loaded) -> None:
    present.write(STATE, json.dumps(loaded._asdict() | {"nvidia": list(loaded.nvidia) if loaded.nvidia else None}))


def kept() -> Loaded:
    found: dict[str, Any] = json.loads(STATE.read_text())
    module = found.pop("nvidia")
    return Loaded(Module(*module) if module else None, **{name: tuple(values) for name, values in found.items()})


def given_module(host: dict[str, Any]) -> Module | None:
    """Gives the driver that the host is told to have loaded."""
    profile = host["profile"]
    preset = profile.get("driver", {})
    version = host.get("loaded") or preset.get("loaded")
    if not version or not profile.get("gpus"):
        return None
    return Module(version, preset.get("flavour") or usual_flavour(profile, version))


def show(host: dict[str, Any], loaded: Loaded) -> None:
    present.show(host["profile"], loaded, machine.parameters())
    keep(loaded)


def boot() -> int:
    host = machine.configuration()
    release = machine.kernel()
    present.mount_all()
    present.hide_container()
    if host["profile"].get("virtual"):
        present.show_processor()
    running = f"{release}\n" if release else (present.OUTER / "osrelease").read_text()
    (present.TREE / "osrelease").write_text(running)
    show(host, at_boot(host["profile"], machine.disk(release), given_module(host)))
    libraries.place(given_libraries(host))
    return 0


def given_libraries(host: dict[str, Any]) -> str | None:
    """Gives the version of the libraries that the host is told to have."""
    version: str | None = host["profile"].get("driver", {}).get("libraries")
    return version


def follow() -> int:
    """Keeps the stand-ins' libraries matching what is installed, for ever.

    It looks, rather than be told: systemd's path units miss what changes while they act.
    """
    while True:
        libraries.place(given_libraries(machine.configuration()))
        time.sleep(INTERVAL)


def load(path: str) -> int:
    """Answers what finit_module() would for a module file; gives an errno."""
    host, loaded = machine.configuration(), kept()
    file = Path(path)
    name = machine.modinfo(file, "name").replace("-", "_")
    if name == "nouveau":
        if not loaded.nouveau and not loaded.nvidia and host["profile"].get("gpus"):
            show(host, with_nouveau(host["profile"])._replace(others=loaded.others))
        return 0
    if name in loaded.modules:
        return errno.EEXIST
    if name in NVIDIA_MODULES and name != "nvidia":
        if loaded.nvidia:
            show(host, loaded._replace(modules=(*loaded.modules, name)))
        return 0 if loaded.nvidia else errno.ENOENT
    if name != "nvidia":
        show(host, loaded._replace(others=tuple(sorted({*loaded.others, name}))))
        return 0
    found = with_nvidia(
        host["profile"], Module(machine.modinfo(file, "version"), machine.flavour_of(machine.modinfo(file, "license")))
    )
    # As the driver does it: no card that it supports, or only such as another driver has, is "No such device".
    if found.nvidia is None or loaded.nouveau:
        return errno.ENODEV
    show(host, found._replace(modules=("nvidia",), others=loaded.others))
    libraries.place(given_libraries(host))  # who asks next asks of a driver that is loaded
    return 0


def in_use() -> bool:
    """Says whether a process holds a card open: its lock is on the card's file."""
    for path in present.PERSISTENCE.iterdir():
        with path.open() as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def unload(name: str) -> int:
    """Answers what delete_module() would; gives an errno."""
    host, loaded = machine.configuration(), kept()
    name = name.replace("-", "_")
    if name == "nouveau" and loaded.nouveau:
        return errno.EWOULDBLOCK
    if name in loaded.others:
        show(host, loaded._replace(others=tuple(other for other in loaded.others if other != name)))
        return 0
    if name not in loaded.modules:
        return errno.ENOENT
    if loaded.users(name) or (name == "nvidia" and in_use()):
        return errno.EWOULDBLOCK
    rest = loaded._replace(modules=tuple(module for module in loaded.modules if module != name))
    show(host, Loaded(others=loaded.others) if name == "nvidia" else rest)
    return 0


def main(words: list[str]) -> int:
    if words == ["boot"]:
        return boot()
    if words == ["libraries"]:
        return follow()
    if len(words) == 2 and words[0] in ("load", "unload"):
        return {"load": load, "unload": unload}[words[0]](words[1])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
