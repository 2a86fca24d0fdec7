"""Builds the simulator of graphics cards and puts it into a host's tree."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from tests.lab import profiles
from tests.lab.console import run
from tests.lab.image import locked
from tests.lab.places import SIMULATOR, STAND_INS

HOME = "usr/lib/gpu-simulator"
LIBRARIES = {
    "nvml_stand_in.so": ["nvml_stand_in.c", "nvml_cards.c", "nvml_licence.c"],
    "nvcfg_stand_in.so": ["nvcfg_stand_in.c"],
    "kernel_stand_in.so": ["kernel_stand_in.c"],
}
SONAMES = {
    "nvml_stand_in.so": "libnvidia-ml.so.1",
    "nvcfg_stand_in.so": "libnvidia-cfg.so.1",
    "kernel_stand_in.so": "kernel_stand_in.so",
}
# Units, and the target that wants each.
UNITS = {"gpu-simulator.service": "sysinit.target", "gpu-simulator-libraries.service": "sysinit.target"}
# Without _GNU_SOURCE and newer than C11 the compiler binds to nothing that an older release's C library lacks.
FLAGS = ["-std=c11", "-D_DEFAULT_SOURCE", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC"]


def digest() -> str:
    sources = sorted([*SIMULATOR.glob("*.c"), *SIMULATOR.glob("*.h")])
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources) + " ".join(FLAGS).encode()).hexdigest()[:12]


def build() -> Path:
    """Compiles the stand-ins, unless that has been done from the same sources, and gives their folder."""
    folder = STAND_INS / digest()
    with locked(STAND_INS / "lock", "stand-ins: another lab is compiling them, waiting"):
        if not folder.is_dir():
            partial = STAND_INS / "partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            for name, sources in LIBRARIES.items():
                paths = [SIMULATOR / source for source in sources]
                run(["gcc", *FLAGS, f"-Wl,-soname,{SONAMES[name]}", "-o", partial / name, *paths])
            partial.rename(folder)
    return folder


def install(root: Path, profile: str, loaded: str | None) -> None:
    """Puts the simulator into a host's tree, set to a profile; ``loaded`` is a driver version that counts as loaded."""
    home = root / HOME
    package = home / "simulator"
    package.mkdir(parents=True, exist_ok=True)
    for source in SIMULATOR.glob("*.py"):
        shutil.copyfile(source, package / source.name)
    for library in build().glob("*.so"):
        (home / library.name).unlink(missing_ok=True)  # never written in place: programs may have it mapped
        shutil.copyfile(library, home / library.name)
        (home / library.name).chmod(0o755)
    configuration = {"profile": profiles.load(profile), "loaded": loaded}
    (home / "host.json").write_text(json.dumps(configuration, indent=1) + "\n")
    (root / "etc/ld.so.preload").write_text(f"/{HOME}/kernel_stand_in.so\n")
    for unit, target in UNITS.items():
        place = root / "etc/systemd/system" / unit
        shutil.copyfile(SIMULATOR / unit, place)
        wants = place.parent / f"{target}.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / unit).unlink(missing_ok=True)
        (wants / unit).symlink_to(f"../{unit}")
