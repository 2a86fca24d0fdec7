"""Stand-ins for NVIDIA's .run packages, made with Debian's makeself; README.md says what they follow."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from tests.lab.console import run
from tests.lab.image import locked
from tests.lab.places import CACHE
from tests.lab.runfile_stand_ins import payload
from tests.lab.runfile_stand_ins.kinds import StandIn
from tests.lab.runfile_stand_ins.makeself import pack

HERE = Path(__file__).resolve().parent
STORE = CACHE / "runfile-stand-ins"


def digest() -> str:
    """Gives a name for everything that the stand-ins are made of."""
    sources = sorted(path for path in HERE.iterdir() if path.suffix in (".py", ".sh", ".c", ".h"))
    sources += sorted(payload.GRIDD.glob("*_stand_in.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(kind: str, version: str) -> Path:
    """Makes one stand-in, unless it has been made from the same sources, and gives its path in the cache."""
    wanted = StandIn(kind, version)
    folder = STORE / digest()
    done = folder / wanted.file_name
    with locked(STORE / "lock", "runfile stand-ins: another lab is making them, waiting"):
        if not done.exists():
            work = folder / "work"
            shutil.rmtree(work, ignore_errors=True)
            tree = work / wanted.folder
            tree.mkdir(parents=True)
            payload.fill(wanted, tree, run)
            pack(wanted, tree, work / wanted.file_name)
            (work / wanted.file_name).rename(done)
            shutil.rmtree(work)
    return done


def provide(target: Path, wanted: list[tuple[str, str]]) -> list[dict[str, str]]:
    """Copies the stand-ins into a folder and tells name, path and checksum of each."""
    target.mkdir(parents=True, exist_ok=True)
    told = []
    for kind, version in wanted:
        made = build(kind, version)
        path = target / made.name
        shutil.copyfile(made, path)
        told.append({"kind": kind, "version": version, "name": made.name, "path": str(path), "sha256": sha256(path)})
    return told
