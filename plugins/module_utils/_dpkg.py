# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dpkg knows: installed packages, the source they come from, their holds, and which belong to the driver."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver_names import is_driver

FORMAT = "\t".join(
    f"${{{field}}}"
    for field in ("binary:Package", "Architecture", "Version", "source:Package", "db:Status-Want", "db:Status-Status")
)
QUERY = ["dpkg-query", "-W", "-f", FORMAT + "\\n"]

Package = namedtuple("Package", "name version source want status")

# Sources whose packages all carry the driver's own version and must move together.
COUPLED_SOURCE = re.compile(
    r"nvidia-(graphics-drivers|open-gpu-kernel-modules|open|kmod|driver|kernel|dkms|firmware|fabricmanager|imex)([-.].*)?"
    r"|libnvidia-.*|cuda-drivers.*|fabric-manager-\d+"
)


def parse_packages(text):
    """{name: Package} of the packages that are installed, half installed or left as configuration files.

    A package of a foreign architecture keeps its architecture in the name (`libcuda1:i386`), the others lose it.
    """
    rows = [line.split("\t") for line in text.splitlines() if line.count("\t") == 5]
    native = next((row[1] for row in rows if row[0] == "dpkg"), None)
    packages = {}
    for name, architecture, version, source, want, status in rows:
        if status in ("not-installed", "") or not version:
            continue
        bare = name.split(":", 1)[0]
        foreign = architecture not in ("all", native) and native is not None
        key = f"{bare}:{architecture}" if foreign else bare
        packages[key] = Package(key, version, source or bare, want, status)
    return packages


def upstream(version):
    """The upstream part of a Debian version: `1:535.261.03-1~deb12u1` gives `535.261.03`."""
    text = version.split(":", 1)[-1]
    return text.rsplit("-", 1)[0] if "-" in text else text


def is_coupled(package):
    """True for a driver's package that carries the driver's own version (nvidia-modprobe, for one, does not)."""
    return bool(COUPLED_SOURCE.fullmatch(package.source) and re.match(r"\d{3,}\.\d+", upstream(package.version)))


def is_installed(package):
    """True when dpkg has finished with the package; triggers that still wait are no reason to touch it."""
    return package is not None and package.status in ("installed", "triggers-pending", "triggers-awaited")


def closure(packages):
    """Names of every installed package of the driver, sorted."""
    return sorted(
        name for name, pkg in packages.items() if pkg.status != "config-files" and is_driver(name, pkg.source)
    )


def held(packages):
    """Names of the driver's packages on hold, sorted."""
    return [name for name in closure(packages) if packages[name].want == "hold"]


def driver_version(packages):
    """The upstream version that most of the driver's coupled packages have; None without a driver."""
    count: dict = {}
    for name in closure(packages):
        if is_coupled(packages[name]):
            version = upstream(packages[name].version)
            count[version] = count.get(version, 0) + 1
    return max(sorted(count), key=lambda version: count[version]) if count else None


def is_dkms(name):
    """True for the package that brings the driver's source for DKMS, whatever the distribution calls it."""
    return bool(re.fullmatch(r"(kmod-)?nvidia-.*dkms(-.*)?", name.split(":", 1)[0]))
