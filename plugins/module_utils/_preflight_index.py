# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apt's index can say: which names and versions it has, how old it is, how much room packages take."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._preflight_findings import finding, listed

LISTS = "/var/lib/apt/lists"
HOUR, MIB = 3600, 1024 * 1024
INDEX = "apt's package index"


def doubt(system, sources, age, limit):
    """Why what the index lacks may still come, as a part of a sentence; None: the index is to be believed.

    :param sources: files ``{path, content}`` that the roles write before they refresh the index
    :param age: seconds since the index was refreshed; :param limit: seconds after which it counts as old
    """
    coming = [row["path"] for row in sources or [] if system.read(row["path"]) != row["content"]]
    if coming:
        return f"the role writes {listed(coming)} first"
    if not any("_Packages" in name for name in system.entries(LISTS)):
        return "the host has never fetched it"
    return f"it is {age // HOUR:.0f} hours old" if age > limit else None


def missing_finding(code, text, what, unsure):
    """An error when the index is to be believed, otherwise a note that *what* is looked for again."""
    if unsure is None:
        return finding("error", code, text, INDEX)
    later = (
        f"The host's package index does not have {what} yet, and {unsure}. The role refreshes the index, looks again,"
        " and refuses before it changes a package."
    )
    return finding("note", f"{code}_yet", later, INDEX)


def kernel_of(name):
    """(numbers, kind) of a package of headers: ([6, 1, 0, 9], ``amd64``) of linux-headers-6.1.0-9-amd64."""
    found = re.fullmatch(r"linux-headers-(\d[\d.]*(?:-\d+)?(?:\+[^-]+)?)-(.+)", name)
    return ([int(number) for number in re.findall(r"\d+", found.group(1))], found.group(2)) if found else ([], name)


def offered_headers(system, name):
    """Names of header packages for other kernels of the same kind: those of the same series first, the newest first."""
    wanted, kind = kernel_of(name)
    result = system.run(["apt-cache", "pkgnames", "linux-headers-"], timeout=60)
    found = {other: kernel_of(other) for other in result.out.split()}
    names = [other for other, (numbers, other_kind) in found.items() if numbers and other_kind == kind]
    return sorted(names, key=lambda other: (found[other][0][:2] == wanted[:2], found[other][0]), reverse=True)


def headers_text(system, names):
    """Sentence about headers that no repository has: DKMS cannot build for such a kernel."""
    offers = offered_headers(system, names[0])[:3]
    have = f"; it offers {listed(offers)}" if offers else ""
    return (
        f"The headers {listed(names)} are neither installed nor in any repository of this host{have}. DKMS builds"
        " nothing for a kernel without them: install and boot a kernel whose headers the archive has, add the"
        " repository that this kernel came from, or name another one in nvidia_driver_kernels."
    )


def parse_sizes(text):
    """{name: (KiB when installed, bytes to download)} from `apt-cache show NAME=VERSION ...`."""
    sizes, name, installed, download = {}, None, 0, 0
    for line in [*text.splitlines(), ""]:
        key, _colon, value = line.partition(": ")
        if key == "Package":
            name, installed, download = value.strip(), 0, 0
        elif key == "Installed-Size" and value.strip().isdigit():
            installed = int(value)
        elif key == "Size" and value.strip().isdigit():
            download = int(value)
        elif not line and name:
            sizes[name] = (installed, download)
    return sizes


def room(system, simulation):
    """{part: MiB} that a simulated transaction takes, for the parts ``installed`` and ``download``.

    A package that moves needs its new files beside its old ones for a moment, one package after the other.
    """
    names = [f"{name}={new}" for name, (_old, new) in simulation.installs.items()]
    sizes = parse_sizes(system.run(["apt-cache", "show", *names], timeout=60).out) if names else {}

    def size(name):
        return sizes.get(name.split(":", 1)[0], (0, 0))

    new = sum(size(name)[0] for name, (old, _new) in simulation.installs.items() if not old)
    moving = [size(name)[0] for name, (old, _new) in simulation.installs.items() if old]
    download = sum(size(name)[1] for name in simulation.installs)
    return {"installed": -(-(new + max(moving, default=0)) // 1024), "download": -(-download // MIB)}
