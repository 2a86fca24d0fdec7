# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that DKMS keeps in its tree, beside those in /lib/modules: the same, or edited since, or lost."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _module_file as module_file

TREE = "/var/lib/dkms"
# Of /lib/modules/KERNEL, where DKMS installs to.
FOLDERS = ("updates/dkms", "extra", "updates", "kernel/drivers/video", "extra/nvidia", "extramodules")


def pairs(system, name, version, kernel):
    """[(path in DKMS's tree, path in /lib/modules or None)] of each module that DKMS has built for a kernel."""
    base, found = f"{TREE}/{name}/{version}/{kernel}", []
    for machine in system.entries(base):
        for file in system.entries(f"{base}/{machine}/module"):
            if ".ko" not in file:  # Module.symvers
                continue
            places = [f"/lib/modules/{kernel}/{folder}/{file}" for folder in FOLDERS]
            found.append((f"{base}/{machine}/module/{file}", next(filter(system.exists, places), None)))
    return found


def is_same(system, built, installed):
    """Whether an installed module is what DKMS has built; one that was signed with another key since is.

    One that cannot be read is taken for the same: what nobody can tell is not mended.
    """
    was, now = system.read_bytes(built), system.read_bytes(installed)
    if was is None or now is None or was == now:
        return True
    was, now = module_file.decompress(system, built), module_file.decompress(system, installed)
    if was is None or now is None:
        return True
    is_unsigned = was.endswith(module_file.MAGIC) and not now.endswith(module_file.MAGIC)
    return module_file.body(was) == module_file.body(now) and not is_unsigned


def is_intact(system, name, version, kernel):
    """Whether all that DKMS has built for a kernel is installed as it was built."""
    return all(path and is_same(system, built, path) for built, path in pairs(system, name, version, kernel))


def archive(name, kernel):
    """Where DKMS puts modules that it finds in place of its own, to bring them back when its own go."""
    return f"{TREE}/{name}/original_module/{kernel}"


def forget_archive(system, name, kernel):
    """What DKMS put aside is the very driver that took its place, or lies there again: it must not come back later."""
    if system.exists(archive(name, kernel)):
        system.run(["rm", "-rf", "--one-file-system", archive(name, kernel)], timeout=60)
        system.run(["rmdir", "--ignore-fail-on-non-empty", f"{TREE}/{name}/original_module"])


def archived(system, name, kernel):
    """Names of the modules that DKMS has put there; `collisions`, a folder, where it found several of one name."""
    base = archive(name, kernel)
    files = (file for machine in system.entries(base) for file in system.entries(f"{base}/{machine}"))
    return {file for file in files if not file.endswith(".origin")}
