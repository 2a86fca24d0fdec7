"""The first converge of a bare host by site.yml, against apt-get alone installing the same packages on a host like it.

Driver and persistence daemon. Both sides end with DKMS having built the same modules, and neither downloads a package.
The bare side is given the names of the packages and where they come from; site.yml finds these out, refuses what cannot
work, holds and configures what it installs, reboots and verifies, and all that is in its time.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time

from tests.bench import bench_host
from tests.bench.plays import SITE, play
from tests.bench.targets import Targets
from tests.lab import inventory, keys
from tests.lab.record import folder
from tools.steps import ROOT

INVENTORY = ROOT / "tests" / "bench" / "first_inventory"
CONVERGED, BARE = "benchfirst", "benchbare"
MOST = 1.15
LIST = "dpkg-query --show --showformat '${db:Status-Abbrev} ${Package}:${Architecture} ${Version}\\n'"
SOURCES = "/etc/apt/sources.list.d/debian.sources"
COMPONENTS = f"sed -i 's/^Components:.*/Components: main contrib non-free non-free-firmware/' {SOURCES}"
INSTALL = "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install"


def parse_installed(text: str) -> dict[str, str]:
    rows = (line.split() for line in text.splitlines())
    return {row[1]: row[2] for row in rows if len(row) == 3 and row[0] in ("ii", "hi")}


def brought(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What apt-get must be told to get from one to the other: ``name:arch=version``."""
    return sorted(f"{name}={version}" for name, version in after.items() if before.get(name) != version)


def asked(address: str, command: str) -> str:
    done = subprocess.run(
        keys.ssh_command(address, [f"LC_ALL=C.UTF-8 {command}"]), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command} failed at {address}:\n{done.stdout}{done.stderr}")
    return done.stdout


def fresh(name: str) -> str:
    """Makes a host anew and gives its address."""
    bench_host.lab("down", "-i", str(INVENTORY), "-l", name)
    bench_host.lab("up", "-i", str(INVENTORY), "-l", name)
    (host,) = inventory.hosts(str(INVENTORY), name)
    return host.address


def cached(name: str) -> set[str]:
    return {path.name for path in (folder(name) / "archives").glob("*.deb")}


def converged() -> tuple[float, list[str], str]:
    """Seconds of the first converge, the packages it brought, and what DKMS has built in it."""
    for _attempt in range(2):
        address = fresh(CONVERGED)
        before, kept = parse_installed(asked(address, LIST)), cached(CONVERGED)
        seconds, _output = play(INVENTORY, SITE, "-l", CONVERGED)
        downloaded = cached(CONVERGED) - kept
        if not downloaded:
            packages = brought(before, parse_installed(asked(address, LIST)))
            return seconds, packages, asked(address, "dkms status")
        print(f"{len(downloaded)} packages were downloaded: once more, now that they are kept", flush=True)
    sys.exit(
        "Packages are downloaded in every converge: it cannot be compared with an installation that downloads none."
    )


def installed(packages: list[str]) -> tuple[float, str]:
    """Seconds that apt-get takes for the packages on a bare host, and what DKMS has built in them."""
    address = fresh(BARE)
    asked(address, COMPONENTS)
    since = time.perf_counter()
    asked(address, f"{INSTALL} {shlex.join(packages)}")
    return time.perf_counter() - since, asked(address, "dkms status")


def measure(targets: Targets) -> None:
    try:
        ours, packages, built = converged()
        bench_host.lab("down", "-i", str(INVENTORY), "-l", CONVERGED)
        theirs, bare_built = installed(packages)
    finally:
        bench_host.lab("down", "-i", str(INVENTORY))
    if built != bare_built:
        sys.exit(f"DKMS has not built the same on both hosts:\n{built}against\n{bare_built}")
    print(f"apt-get alone, {len(packages)} packages  {theirs:6.0f} s, DKMS included")
    print(f"site.yml on a bare host      {ours:6.0f} s, {ours - theirs:.0f} s more")
    targets.judge("first converge against apt-get alone", ours / theirs, MOST)
