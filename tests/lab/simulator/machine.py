"""What the simulator reads from the host that it runs in."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .decide import Disk, Module

HOME = Path("/usr/lib/gpu-simulator")
MODULE_FILE = re.compile(r"nvidia(-current(-open)?|-open|-(tesla|legacy)-\d+\w*)?\.ko(\.(xz|zst|gz))?")
MODULE_FOLDERS = ("updates", "extra", "kernel/drivers/video", "kernel/drivers/char/drm")
MODPROBE_FOLDERS = ("etc/modprobe.d", "run/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d")
LIBRARY_FOLDERS = ("usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib")


def configuration() -> dict[str, Any]:
    """Gives what the lab wrote for this host: ``profile``, and ``loaded`` (a version or None)."""
    found: dict[str, Any] = json.loads((HOME / "host.json").read_text(encoding="utf-8"))
    return found


def natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


def kernel(root: Path = Path("/")) -> str | None:
    """Gives the newest installed kernel's release: the one that the simulated machine boots."""
    releases = [path.name.removeprefix("vmlinuz-") for path in (root / "boot").glob("vmlinuz-*")]
    return max(releases, key=natural) if releases else None


def module_file(release: str, root: Path = Path("/")) -> Path | None:
    """Finds NVIDIA's module of a kernel, in the order in which depmod prefers folders."""
    for folder in MODULE_FOLDERS:
        for place, _folders, names in os.walk(root / "lib/modules" / release / folder):
            for name in sorted(names):
                if MODULE_FILE.fullmatch(name):
                    return Path(place) / name
    return None


def modinfo(path: Path, field: str) -> str:
    done = subprocess.run(["modinfo", "-F", field, str(path)], capture_output=True, text=True, check=False, timeout=20)
    return done.stdout.strip()


def flavour_of(license_text: str) -> str:
    return "open" if "MIT" in license_text else "proprietary"


def module_on_disk(release: str | None) -> Module | None:
    path = module_file(release) if release else None
    if path is None:
        return None
    version = modinfo(path, "version")
    return Module(version, flavour_of(modinfo(path, "license"))) if version else None


def modprobe_files(root: Path = Path("/")) -> list[Path]:
    """Lists modprobe's configuration files; of two with one name the first folder's counts."""
    found: dict[str, Path] = {}
    for folder in MODPROBE_FOLDERS:
        for path in sorted((root / folder).glob("*.conf")):
            found.setdefault(path.name, path)
    return list(found.values())


def bars(text: str, module: str) -> bool:
    """Says whether a modprobe.d file keeps the kernel from loading ``module`` by itself."""
    name = re.escape(module).replace("_", "[_-]")
    pattern = rf"^\s*(blacklist\s+{name}|install\s+{name}\s+(/usr)?/bin/(false|true)|alias\s+{name}\s+off)\s*$"
    return bool(re.search(pattern, text, re.MULTILINE))


def barring_files(module: str, root: Path = Path("/")) -> list[Path]:
    return [path for path in modprobe_files(root) if path.is_file() and bars(path.read_text(errors="replace"), module)]


def written(path: Path) -> float:
    """Gives when the file, or the link to it, got here; the modification time is the one inside a package."""
    return max(path.lstat().st_ctime, path.stat().st_ctime)


def in_initramfs(paths: Iterable[Path], initramfs: Path) -> bool:
    """Says whether one of the files can be in the initramfs: it was here when that was built."""
    built = initramfs.stat().st_mtime if initramfs.exists() else None
    return any(built is None or written(path) <= built for path in paths)


def disk(release: str | None) -> Disk:
    nouveau = barring_files("nouveau")
    barred = in_initramfs(nouveau, Path(f"/boot/initrd.img-{release}"))
    return Disk(module_on_disk(release), barred, bool(barring_files("nvidia")))


def parameters() -> dict[str, str]:
    """Gives the driver's parameters that modprobe.d sets, by name without NVreg_."""
    found: dict[str, str] = {}
    for path in modprobe_files():
        for line in path.read_text(errors="replace").splitlines():
            words = line.split()
            if words[:1] == ["options"] and len(words) > 2 and words[1].startswith("nvidia"):
                pairs = [word.partition("=") for word in words[2:] if word.startswith("NVreg_")]
                found.update({name.removeprefix("NVreg_"): value for name, _equals, value in pairs})
    return found


def library_version(name: str, root: Path = Path("/")) -> str | None:
    """Gives the version of NVIDIA's installed library ``name``, that of the file to which NAME.1 leads."""
    for folder in LIBRARY_FOLDERS:
        link = root / folder / f"{name}.1"
        if link.exists():
            version = link.resolve().name.removeprefix(f"{name}.")
            return version if re.fullmatch(r"\d+(\.\d+)+", version) else None
    return None
