# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules that wait aside while others take their place, and lie there again where that fails."""

from __future__ import annotations

from contextlib import contextmanager

from ansible_collections.gpufleet.nvidia.plugins.module_utils._dkms_modules import FOLDERS
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, NvidiaError, Result

COPIED, MOVED = ("cp", "-a"), ("mv", "-f")


def place(path):
    """Where a module waits: on its own file system, under a name that neither DKMS nor depmod takes for a module."""
    return path.replace(".ko", "-ko") + ".gpufleet-before"


def of_kernel(system, kernel, folders=FOLDERS):
    """Paths of NVIDIA's modules in the folders below /lib/modules/KERNEL."""
    bases = [f"/lib/modules/{kernel}/{folder}" for folder in folders]
    found = ((base, name) for base in bases for name in system.entries(base))
    return [f"{base}/{name}" for base, name in found if name.startswith("nvidia") and ".ko" in name]


@contextmanager
def aside(system, paths, verb=COPIED):
    """The modules wait aside, as copies or themselves, for as long as the block takes that replaces them.

    :raises NvidiaError: before the block, when one cannot be put aside: nothing is changed. What the block raises goes
        on, all modules being back by then, whatever lay in their place; what could not come back is said with it
    """
    kept = _keep(system, paths, verb)
    try:
        yield
    except NvidiaError as exc:
        raise NvidiaError(f"{exc}{_give_back(system, kept)}") from exc
    except BaseException:
        _give_back(system, kept)
        raise
    for path in kept:
        system.remove(place(path))


def _keep(system, paths, verb):
    """Those of the paths that wait aside: all of them."""
    kept: list = []
    for path in paths:
        done = _run(system, [*verb, path, place(path)], 120)
        if done.rc != 0:
            if system.exists(path):
                system.remove(place(path))  # what there was room for
            lost = _give_back(system, kept)
            raise NvidiaError(
                f"{path} could not be put aside before another takes its place: {done.err.strip()}. Is there room on"
                f" the file system of /lib/modules?{lost or ' Nothing was changed.'}"
            )
        kept.append(path)
    return kept


def _run(system, argv, timeout):
    """A program that takes too long is a failed one: whatever else waits aside must come back all the same."""
    try:
        return system.run(argv, timeout=timeout)
    except CommandTimeout as exc:
        return Result(1, "", str(exc))


def _give_back(system, kept):
    """What could not be given back, as a sentence; '' when all could."""
    failed = [path for path in kept if _run(system, [*MOVED, place(path), path], 60).rc != 0]
    for kernel in sorted({path.split("/")[3] for path in kept}):
        _run(system, ["depmod", kernel], 300)
    return "".join(f"\nThe module that was {path} is {place(path)} now: move it back." for path in failed)
