"""The disk that Secure Boot hosts start from: a container host's system made bootable, NVIDIA's driver installed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from tests.lab import image
from tests.lab.console import run, step
from tests.lab.machine import guest
from tests.lab.places import IMAGES, PACKAGES

RELEASES = ("trixie",)
SCRIPT = Path(__file__).with_name("build_disk.sh")
DISK = "disk.img"
BOOT = ["grub-efi-amd64-signed", "shim-signed", "grub-efi-amd64", "mokutil"]
TOOLS = ["hostname", "keyutils", "openssl", "login", "tar"]
# What role nvidia_driver installs on Debian 13 for a card that wants the proprietary modules.
DRIVER = ["nvidia-kernel-dkms", "nvidia-smi", "libcuda1", "libnvidia-ml1", "libnvidia-cfg1", "python3-pynvml"]
COMPONENTS = "main contrib non-free non-free-firmware"


def sources(wanted: image.Recipe) -> str:
    """Gives the guest's debian.sources: those of a container host with the components of the driver."""
    return guest.from_inside(wanted.sources_text.replace(" ".join(image.mirror.COMPONENTS), COMPONENTS))


def digest(wanted: image.Recipe) -> str:
    parts = [
        wanted.digest(),
        BOOT,
        TOOLS,
        DRIVER,
        guest.FILES,
        guest.FIRST_MENU,
        guest.ENABLED,
        guest.MASKED,
        sources(wanted),
        SCRIPT.read_text(encoding="utf-8"),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def build(wanted: image.Recipe, base: Path, folder: Path, log: Path) -> None:
    """Fills ``folder`` with the disk."""
    guest.write(folder / "files")
    (folder / "first_menu.cfg").write_text(guest.FIRST_MENU)
    settings = folder / "apt"
    settings.mkdir()
    (settings / "debian.sources").write_text(sources(wanted))
    (settings / "90lab").write_text(guest.from_inside(wanted.apt_settings))
    (settings / "resolv.conf").write_text(f"nameserver {guest.NAMES}\n")
    shelf = PACKAGES / wanted.release / "archives"
    shelf.mkdir(parents=True, exist_ok=True)
    environment = {
        "COMPONENTS": COMPONENTS,
        "PACKAGES": " ".join([*BOOT, *TOOLS, *DRIVER]),
        "ROOT_UUID": guest.ROOT_UUID,
        "ESP_SERIAL": guest.ESP_SERIAL,
        "DISK": DISK,
    }
    with step(f"{wanted.release} disk for Secure Boot: installing and building NVIDIA's driver (minutes, once)"):
        script: list[str | Path] = ["sh", SCRIPT, base / "tree", folder, shelf]
        run(["unshare", "--mount", "--pid", "--fork", "--kill-child", *script], log=log, env=environment)


def provide(release: str) -> Path:
    """Gives the folder of a disk of ``release``, building it when there is none or only an outdated one."""
    wanted = image.recipe(release, "buildable")
    folder = IMAGES / f"secure-boot-{release}-{digest(wanted)}"
    if not image.is_fresh(folder):
        base = image.provide(release)
        image.cached(folder, f"{release} disk", lambda partial, log: build(wanted, base, partial, log))
    return folder


def overlay(folder: Path, target: Path) -> None:
    """Makes a host's disk: what it changes lies in ``target``, all else is read from the image."""
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", folder / DISK, target])
    os.chmod(target, 0o600)
