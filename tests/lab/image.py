"""Images: Debian as it is after a fresh installation, one read-only tree per release, from which hosts are overlaid."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.lab import mirror
from tests.lab.console import LabError, run, say, step
from tests.lab.places import IMAGES, SOURCE

# What a server has that was installed a minute ago: init, a kernel with its initramfs, SSH, Python for Ansible.
# No headers, no DKMS, no compiler: bringing these is the roles' work.
PACKAGES = [
    *("apt-utils", "busybox", "ca-certificates", "dbus", "initramfs-tools", "iproute2", "kmod", "openssh-server"),
    *("pciutils", "procps", "python3", "python3-apt", "sudo", "systemd", "systemd-sysv", "udev", "zstd"),
]
# Linux 6.12.97 changed pci_resize_resource(): since then the driver of Debian 13's archive (550.163.01) does not build
# (github.com/NVIDIA/open-gpu-kernel-modules/issues/1272). With lab_kernel "newest" a host takes such a kernel anyway.
KERNEL_BELOW = {"trixie": "6.12.97"}
KERNELS = ("buildable", "newest")
# What would otherwise start by itself at some time and hold apt's locks, or act on the machine that all hosts share.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "systemd-timesyncd.service", "systemd-udevd.service")
# The archive drops a kernel's headers when the next kernel comes: an image with an old kernel has none to install.
OLDEST_DAYS = 6
HOOK = SOURCE / "choose_kernel.sh"
APT_SETTINGS = 'APT::Keep-Downloaded-Packages "true";\nBinary::apt::APT::Keep-Downloaded-Packages "true";\n'


class Recipe(NamedTuple):
    """All that decides what an image holds."""

    release: str
    sources: list[tuple[str, list[str]]]
    sources_text: str
    apt_settings: str
    authorities: dict[str, str]
    packages: list[str]
    kernel_below: str

    def digest(self) -> str:
        text = json.dumps([self._asdict(), MASKED, HOOK.read_text(encoding="utf-8")], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def recipe(release: str, kernel: str) -> Recipe:
    found = mirror.find()
    authorities = {path.name: path.read_text(encoding="utf-8") for path in mirror.authorities()}
    return Recipe(
        release,
        mirror.suites(found, release),
        mirror.sources_text(found, release),
        APT_SETTINGS + mirror.apt_settings(),
        authorities,
        PACKAGES,
        KERNEL_BELOW.get(release, "") if kernel == "buildable" else "",
    )


@contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Holds the lock file ``path``; says ``waiting`` when someone else has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step(waiting):
                fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def bootstrap(wanted: Recipe, tree: Path, log: Path) -> None:
    """Installs the base system into ``tree``."""
    lines = [
        f"deb [signed-by={mirror.KEYRING}] {uri} {suite} {' '.join(mirror.COMPONENTS)}"
        for uri, suites in wanted.sources
        for suite in suites
    ]
    options = [f"--aptopt={line}" for line in wanted.apt_settings.splitlines()]
    names = ",".join(wanted.packages)
    hook = f'--customize-hook=sh {shlex.quote(str(HOOK))} "$1" {wanted.kernel_below}'
    argv: list[str | Path] = [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={names}",
        hook,
        *options,
        wanted.release,
        tree,
        *lines,
    ]
    run(argv, log=log)


def finish(wanted: Recipe, tree: Path, log: Path) -> None:
    """Leaves ``tree`` as an installer leaves a disk: sources, authorities, nothing that belongs to one host only."""
    etc = tree / "etc"
    (etc / "apt/sources.list").unlink(missing_ok=True)
    for old in (etc / "apt/sources.list.d").glob("*"):
        old.unlink()
    (etc / "apt/sources.list.d/debian.sources").write_text(wanted.sources_text)
    for old in (etc / "apt/apt.conf.d").glob("99mmdebstrap"):
        old.unlink()
    (etc / "apt/apt.conf.d/90lab").write_text(wanted.apt_settings)
    for name, text in wanted.authorities.items():
        target = tree / "usr/local/share/ca-certificates" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    if wanted.authorities:
        run(["chroot", tree, "update-ca-certificates"], log=log)
    for key in (etc / "ssh").glob("ssh_host_*"):
        key.unlink()
    for unit in MASKED:
        (etc / "systemd/system" / unit).symlink_to("/dev/null")
    (etc / "machine-id").write_text("")
    (etc / "hostname").unlink(missing_ok=True)
    (etc / "resolv.conf").unlink(missing_ok=True)


def age_days(folder: Path) -> float:
    return (time.time() - folder.stat().st_mtime) / 86400


def build(wanted: Recipe, folder: Path, log: Path) -> None:
    """Fills ``folder`` with the tree."""
    with step(f"{wanted.release} image: installing the base system"):
        bootstrap(wanted, folder / "tree", log)
        finish(wanted, folder / "tree", log)


def retire(folder: Path) -> None:
    """Moves an outdated image aside; hosts that still stand on it keep it through their record."""
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}-until-{int(time.time())}"))


def prune(in_use: set[Path]) -> None:
    """Removes images that no host stands on and that the next host would not take either."""
    for folder in IMAGES.glob("*"):
        old = age_days(folder) > OLDEST_DAYS or "-until-" in folder.name
        if folder.is_dir() and old and folder not in in_use and not folder.name.startswith("partial-"):
            shutil.rmtree(folder, ignore_errors=True)


def is_fresh(folder: Path) -> bool:
    return folder.is_dir() and age_days(folder) <= OLDEST_DAYS


def renew(folder: Path, fill: Callable[[Path, Path], None]) -> None:
    """Builds beside ``folder`` and renames at the end, so that a folder of that name is always whole."""
    # Only the holder of this image's lock comes here, so what lies there is left over from an interrupted build.
    partial = folder.with_name(f"partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    log = IMAGES / f"{folder.name}.log"
    log.write_text("")
    try:
        fill(partial, log)
        retire(folder)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def cached(folder: Path, title: str, fill: Callable[[Path, Path], None]) -> Path:
    """Gives ``folder``; when there is none or only an outdated one, ``fill`` makes its content (and has a log)."""
    with locked(IMAGES / f"{folder.name}.lock", f"{title}: another lab is building it, waiting"):
        if is_fresh(folder):
            return folder
        try:
            renew(folder, fill)
        except LabError:
            if not folder.is_dir():
                raise
            say(f"{title}: no new one could be built; taking the one of {age_days(folder):.0f} days ago")
        os.utime(folder)
    return folder


def provide(release: str, kernel: str = "buildable") -> Path:
    """Gives the folder of an image of ``release``, building it when there is none or only an outdated one."""
    wanted = recipe(release, kernel)
    folder = IMAGES / f"{release}-{wanted.digest()}"
    return cached(folder, f"{release} image", lambda partial, log: build(wanted, partial, log))
