# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of CUDA toolkits and of cuDNN, from the books of the package manager; those of apt are only read."""

from __future__ import annotations

import re

STATUS = "/var/lib/dpkg/status"
LOCAL = "/var/lib/pacman/local"
# Those that say which toolkit is there; its many libraries are left out.
NAME = re.compile(
    r"cuda(-\d+-\d+)?|cuda-(toolkit|runtime|nvcc|compiler|libraries|minimal-build|cudart|compat)(-\d+(-\d+)?)?"
    r"|nvidia-cuda-(toolkit|dev)|nvidia-cudnn|cudnn(\d.*|-.*)?|libcudnn\d.*"
)
INSTALLED = ("installed", "unpacked", "half-configured", "half-installed", "triggers-pending", "triggers-awaited")
# Asked of rpm by name: a query of everything takes a second.
PARTS = ("cuda-toolkit", "cuda-nvcc", "cuda-compiler", "cuda-libraries", "cuda-minimal-build", "cuda-cudart")


def parse_status(text):
    """``[{name, version, held}]`` of dpkg's status file."""
    rows = []
    # from one "\n" to the next: "^" would be tried at every letter of a large file
    for found in re.finditer(r"\nPackage: (\S*(?:cuda|cudnn)\S*)\n((?:.+\n?)*)", f"\n{text or ''}"):
        if not NAME.fullmatch(found[1]):
            continue
        status = re.search(r"^Status: (\S+) \S+ (\S+)$", found[2], re.M)
        version = re.search(r"^Version: (\S+)$", found[2], re.M)
        if status and version and status[2] in INSTALLED:
            rows.append({"name": found[1], "version": version[1], "held": status[1] == "hold"})
    return sorted(rows, key=lambda row: row["name"])


def parse_rpm(text):
    """The same from ``rpm -q --qf '%{NAME} %{VERSION}-%{RELEASE}\\n'``; locks are not looked at."""
    rows = [line.split(" ") for line in (text or "").splitlines() if re.fullmatch(r"[\w.+-]+ [\w.:~^+]+-\S+", line)]
    return [{"name": name, "version": version, "held": False} for name, version in rows if NAME.fullmatch(name)]


def observe(system, package_manager, folders):
    """The packages, by name; nothing is asked of rpm where no toolkit lies on the disk."""
    if package_manager == "apt":
        return parse_status(system.read(STATUS))
    if package_manager == "pacman":
        found = (re.fullmatch(r"(.+)-([^-]+-[^-]+)", entry) for entry in system.entries(LOCAL))
        rows = [(match[1], match[2]) for match in found if match and NAME.fullmatch(match[1])]
        return [{"name": name, "version": version, "held": False} for name, version in rows]
    releases = [match[1].replace(".", "-") for match in (re.search(r"cuda-(\d+\.\d+)$", f) for f in folders) if match]
    if package_manager in ("dnf", "zypper") and releases:
        names = [f"{part}-{release}" for release in releases for part in PARTS]
        query = ["rpm", "-q", "--qf", r"%{NAME} %{VERSION}-%{RELEASE}\n", *names]
        return parse_rpm(system.run(query, timeout=20).out)
    return []
