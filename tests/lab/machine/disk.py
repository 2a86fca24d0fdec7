"""The disk that machines of a kind start from: a container host's system made bootable, with modules of its own."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from tests.lab import image
from tests.lab.console import run, step
from tests.lab.machine import boot_menu, guest
from tests.lab.machine.kinds import MACHINES, Kind
from tests.lab.places import IMAGES, PACKAGES

RELEASES = ("trixie",)
SCRIPT = Path(__file__).with_name("build_disk.sh")
DISK = "disk.img"
BOOT = ["grub-efi-amd64-signed", "shim-signed", "grub-efi-amd64", "mokutil"]
TOOLS = ["hostname", "keyutils", "openssl", "login", "tar"]


def sources(wanted: image.Recipe, kind: Kind) -> str:
    """Gives the guest's debian.sources: those of a container host with the components of the modules."""
    return guest.from_inside(wanted.sources_text.replace(" ".join(image.mirror.COMPONENTS), kind.components))


def digest(wanted: image.Recipe, kind: Kind) -> str:
    parts = [
        wanted.digest(),
        BOOT,
        TOOLS,
        kind.packages,
        {**guest.FILES, **kind.files},
        guest.FIRST_MENU,
        guest.ENABLED,
        [*guest.MASKED, *kind.masked],
        sources(wanted, kind),
        SCRIPT.read_text(encoding="utf-8"),
        kind.modules.read_text(encoding="utf-8"),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def build(wanted: image.Recipe, kind: Kind, base: Path, folder: Path, log: Path) -> None:
    """Fills ``folder`` with the disk."""
    guest.write(folder / "files", kind)
    (folder / "first_menu.cfg").write_text(guest.FIRST_MENU)
    settings = folder / "apt"
    settings.mkdir()
    (settings / "debian.sources").write_text(sources(wanted, kind))
    (settings / "90lab").write_text(guest.from_inside(wanted.apt_settings))
    (settings / "resolv.conf").write_text(f"nameserver {guest.NAMES}\n")
    shelf = PACKAGES / wanted.release / "archives"
    shelf.mkdir(parents=True, exist_ok=True)
    environment = {
        "COMPONENTS": kind.components,
        "PACKAGES": " ".join([*BOOT, *TOOLS, *kind.packages]),
        "ROOT_UUID": boot_menu.ROOT_UUID,
        "ESP_SERIAL": guest.ESP_SERIAL,
        "DISK": DISK,
    }
    with step(f"{wanted.release} disk for {kind.title}: installing and building kernel modules (minutes, once)"):
        script: list[str | Path] = ["sh", SCRIPT, base / "tree", folder, shelf, kind.modules]
        run(["unshare", "--mount", "--pid", "--fork", "--kill-child", *script], log=log, env=environment)


def provide(release: str, kind: str) -> Path:
    """Gives the folder of a disk of ``release``, building it when there is none or only an outdated one."""
    wanted, machine = image.recipe(release, "buildable"), MACHINES[kind]
    folder = IMAGES / f"{kind.replace('_', '-')}-{release}-{digest(wanted, machine)}"
    if not image.is_fresh(folder):
        base = image.provide(release)
        title = f"{release} disk for {machine.title}"
        image.cached(folder, title, lambda partial, log: build(wanted, machine, base, partial, log))
    return folder


def overlay(folder: Path, target: Path) -> None:
    """Makes a host's disk: what it changes lies in ``target``, all else is read from the image."""
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", folder / DISK, target])
    os.chmod(target, 0o600)
