# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages beside the driver: what was asked for, what is to be done, and what a transaction must never do. Pure."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_plan as decide

GRID = re.compile(r"nvidia-linux-grid(-.*)?|nvidia-vgpu-.*", re.I)
UNFINISHED = ("unpacked", "half-configured", "half-installed")


def parse_asked(words):
    """{name: wanted version or None} from words such as ``libnccl2`` and ``libnccl2=2.23.4-1+cuda12.6``."""
    return {name: version or None for name, _sign, version in (word.partition("=") for word in words)}


def guarded(name, source):
    """What a package belongs to that must not be touched: ``driver``, ``kernel``, or None."""
    bare = name.split(":", 1)[0]
    if _dpkg.is_driver(bare, source) or GRID.fullmatch(bare) or GRID.fullmatch(source):
        return "driver"
    return "kernel" if decide.KERNEL_IMAGE.fullmatch(bare) else None


def driver_packages(packages):
    """{name: version} of the driver's installed packages, which stay as they are."""
    return {
        name: pkg.version
        for name, pkg in sorted(packages.items())
        if pkg.status != "config-files" and guarded(name, pkg.source) == "driver"
    }


def is_right(package, wanted):
    """True when dpkg has finished with the package and it has the wanted version, if any was named."""
    return _dpkg.is_installed(package) and wanted in (None, package.version, _dpkg.upstream(package.version))


def pending(packages, asked):
    """Those of the asked names that are not there, or not in the wanted version."""
    return [name for name, wanted in asked.items() if not is_right(packages.get(name), wanted)]


def unfinished(packages, asked, also):
    """Those of the names that an interrupted run left half installed."""
    return [
        n for n, pkg in sorted(packages.items()) if (n in asked or decide.matches(n, also)) and pkg.status in UNFINISHED
    ]


def blocker(names, asked, available):
    """Why the index does not allow to go on, as a sentence; None when it has everything that is asked for."""
    unknown = [name for name in names if not available.get(name)]
    if unknown:
        return (
            f"No repository that this host's package index knows has {', '.join(unknown)}. Check the names, and that "
            "the repository that should have them is enabled."
        )
    for name in names:
        if asked[name] and not decide.exact(available[name], asked[name]):
            return (
                f"{name} {asked[name]} is in none of this host's repositories; they offer "
                f"{', '.join(available[name])}. Ask for one of those, or add a repository that has it."
            )
    return None


def words(names, asked, available):
    """What to put on apt's command line."""
    return [f"{n}={decide.exact(available.get(n, []), asked[n])}" if asked[n] else n for n in names]


def refusals(simulation, packages, sources, asked, libraries_ok=False):
    """Sentences for what a simulated transaction must not do; [] when it may go on.

    :param sources: {name: source package} of what would come; :param asked: names that may move though they are held
    :param libraries_ok: whether driver packages may come where none is installed
    """

    def source(name):
        return packages[name].source if name in packages else sources.get(name.split(":", 1)[0], name)

    fresh = libraries_ok and not driver_packages(packages)
    found: dict = {"driver": [], "kernel": []}
    for name, (old, new) in sorted(simulation.installs.items()):
        what = guarded(name, source(name))
        if what and old != new and not (fresh and what == "driver" and not _dpkg.is_dkms(name)):
            found[what].append(f"move {name} from {old} to {new}" if old else f"install {name} {new}")
    for name in sorted(simulation.removes):
        what = guarded(name, source(name))
        if what:
            found[what].append(f"remove {name}")
    moved = {*decide.moved(simulation), *simulation.removes}
    held = sorted(n for n in moved if n in packages and packages[n].want == "hold" and n not in asked)
    held = [name for name in held if not guarded(name, packages[name].source)]
    sentences = []
    if found["driver"]:
        sentences.append(
            f"The transaction would touch the NVIDIA driver: {'; '.join(found['driver'])}. Nothing was changed. Only "
            "the role nvidia_driver changes the driver: install it first when it is missing, ask for packages that do "
            "not bring one (cuda-toolkit-X-Y instead of cuda), and on a vGPU guest take NVIDIA's runfile."
        )
    if found["kernel"]:
        sentences.append(
            f"The transaction would touch the kernel: {'; '.join(found['kernel'])}. Nothing was changed. Look with "
            "`apt-get -s install` at why, and bring the kernel yourself if you want it."
        )
    if held:
        sentences.append(
            f"The transaction would change packages that somebody holds: {', '.join(held)}. Nothing was changed. "
            "Release them with `apt-mark unhold` if that is right."
        )
    return sentences


def collateral(simulation, packages, asked):
    """Sentence for packages that would be removed though nobody asked for it; None when there are none."""
    known = {name: pkg.source for name, pkg in packages.items()}
    lost = [n for n in sorted(simulation.removes) if n not in asked and not guarded(n, known.get(n, n))]
    if not lost:
        return None
    return (
        f"The transaction would remove {', '.join(lost)}, which nobody asked for. Nothing was changed. Look with "
        "`apt-get -s install` at what conflicts, and remove it yourself if that is right."
    )
