# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the packages back to what they were before a transaction failed."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt, _dkms_build, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# fresh: names that came; back: {name: version} to return to; holds: names; builds: [(module, version, kernel)]
Return = namedtuple("Return", "fresh back holds builds")


def plan(before, packages, built):
    """What to do so that the host is as before, as Return. Pure."""
    old = {name: pkg for name, pkg in before.packages.items() if pkg.status != "config-files"}
    now = {name: pkg for name, pkg in packages.items() if pkg.status != "config-files"}
    fresh = sorted(name for name in now if name not in old)
    back = {
        name: pkg.version for name, pkg in sorted(old.items()) if name not in now or now[name].version != pkg.version
    }
    have = {(item.name, item.version, kernel) for item in built for kernel, intact in item.kernels.items() if intact}
    builds = [
        (item.name, item.version, kernel)
        for item in before.built
        for kernel, intact in sorted(item.kernels.items())
        if intact and (item.name, item.version, kernel) not in have
    ]
    return Return(fresh, back, _dpkg.held(before.packages), builds)


def cached_path(system, name, version):
    """Path of the package in apt's own cache of downloaded files, or None."""
    folder = "/var/cache/apt/archives"
    prefix = f"{name.split(':', 1)[0]}_{version.replace(':', '%3a')}_"
    return next((f"{folder}/{e}" for e in system.entries(folder) if e.startswith(prefix) and e.endswith(".deb")), None)


def obtainable(system, back):
    """({name: word for apt-get}, names that can be had no longer): from the archive, else from the cache."""
    known = _apt.parse_madison(system.run(["apt-cache", "madison", *back], timeout=60).out) if back else {}
    words, gone = {}, []
    for name, version in back.items():
        cached = cached_path(system, name, version)
        if version in known.get(name, []):
            words[name] = f"{name}={version}"
        elif cached:
            words[name] = cached
        else:
            gone.append(name)
    return words, gone


def restore(system, params, before):
    """Puts the host back; a sentence about what was and what could not be restored. Never raises NvidiaError."""
    todo = plan(before, _dpkg.parse_packages(system.run(_dpkg.QUERY).out), _dkms_build.observe(system))
    words, gone = obtainable(system, todo.back)
    said = []
    try:
        if todo.fresh or words:
            argv = _apt.apt_get(
                "install", "--purge", "--allow-downgrades", "--allow-change-held-packages", *words.values(),
                *(name + "-" for name in todo.fresh), lock_timeout=params["lock_timeout"],
            )  # fmt: skip
            _dkms_build.quietly(
                system, lambda: _apt.checked(system, params, argv, "apt could not put the packages back")
            )
            said += [f"purged again: {', '.join(todo.fresh)}"] if todo.fresh else []
            said += [f"back to {n} {todo.back[n]}" for n in words]
        for name, version, kernel in todo.builds:
            if name not in _dkms_build.sources(system, version):
                continue
            _dkms_build.build(system, name, version, kernel, params["timeout"])
            said.append(f"rebuilt {name} {version} for {kernel}")
        packages = _dpkg.parse_packages(system.run(_dpkg.QUERY).out)
        again = [name for name in todo.holds if name in packages and packages[name].want != "hold"]
        if again:
            _apt.checked(system, params, ["apt-mark", "hold", *again], "The holds could not be restored")
            said.append(f"held again: {', '.join(again)}")
    except NvidiaError as exc:
        return f"Putting the host back failed too, look at it by hand: {exc}" + (
            f" (done: {'; '.join(said)})" if said else ""
        )
    lost = f" Could not be put back, the archive no longer has them: {', '.join(gone)}." if gone else ""
    return f"The host was put back: {'; '.join(said)}.{lost}" if said else f"No package was changed.{lost}"
