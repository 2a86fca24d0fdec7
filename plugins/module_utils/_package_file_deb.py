# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A .deb file: installed by apt with its dependencies, after apt has told that it would remove nothing."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _guarded_packages_plan as guard
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_simulate as ask
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_apt import Before
from ansible_collections.gpufleet.nvidia.plugins.module_utils._runfile_header import describe_other
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

KIND = "deb"
FREE = ("install", "--allow-downgrades", "--allow-change-held-packages")

# whole: dpkg has finished with it; package: as _dpkg.Package
Installed = namedtuple("Installed", "version held whole package")


def installed(system, _manager):
    """{name: Installed} of everything that dpkg knows but leftover configuration."""
    result = system.run(_dpkg.QUERY)
    if result.rc != 0:
        raise NvidiaError(f"dpkg-query failed, so the installed packages are not known: {result.err.strip()}")
    return {
        name: Installed(row.version, row.want == "hold", _dpkg.is_installed(row), row)
        for name, row in _dpkg.parse_packages(result.out).items()
        if row.status != "config-files"
    }


def same(one, other):
    """True for the same version; the one asked for may leave out the packaging revision."""
    return other in (one, _dpkg.upstream(one))


def machine(system):
    return system.run(["dpkg", "--print-architecture"]).out.strip()


def describe(system, path):
    """(name, version, architecture) that the file tells.

    :raises NvidiaError: when it is no package, or is damaged
    """
    told = system.run(
        ["dpkg-deb", "--show", "--showformat=${Package}\\n${Version}\\n${Architecture}\\n", path], timeout=120
    )
    words = told.out.split()
    if told.rc != 0 or len(words) != 3:
        look = describe_other(system.read_bytes(path, 4096) or b"")
        raise NvidiaError(
            f"{path} is no sound package: {look}; dpkg-deb says: {told.err.strip()[-200:] or 'nothing'}. It was not"
            " installed, and nothing was changed."
        )
    return tuple(words)


def simulate(system, params, _manager, asked, path, before, apply):
    """Names of what would come along; the index is fetched anew when apt finds no way with the old one.

    :raises NvidiaError: when apt finds no way, or would remove, move or install what nobody asked for
    """
    result = _simulated(system, path)
    if result.rc != 0 and params["refresh"] == "auto":
        if not apply:
            return ["what it needs, once the package index is fresh"]
        ask.refresh_index(system, params)
        result = _simulated(system, path)
    if result.rc != 0:
        raise NvidiaError(
            f"apt finds no way to install {asked.file}; nothing was changed.\n" + _apt.excerpt(result.out + result.err)
        )
    simulation = _apt.parse_simulation(result.out)
    packages = {name: row.package for name, row in before.items()}
    others = simulation.installs.items() - {asked.name: None}.items()
    rest = _apt.Simulation({name: row for name, row in others if name != asked.name}, _unasked(simulation, params))
    sentences = guard.refusals(rest, packages, ask.new_sources(system, rest), [asked.name])
    if rest.removes:
        sentences.append(
            f"{asked.file} conflicts with what is installed: apt would remove {', '.join(sorted(rest.removes))}."
            " Nothing was changed. Remove that first if it is right, a driver with the role that installed it"
            " (state absent)."
        )
    if sentences:
        raise NvidiaError("\n".join(sentences))
    return sorted(name for name in rest.installs if name not in before)


def _simulated(system, path):
    return system.run(_apt.apt_get("-s", *FREE, path), timeout=120, env=_apt.ENVIRONMENT)


def _unasked(simulation, params):
    return {name: old for name, old in simulation.removes.items() if not decide.matches(name, params["replaces"])}


def install(system, params, _manager, asked, path, kept):
    """:raises NvidiaError: with apt's own lines, and with what was put back"""
    packages = _dpkg.parse_packages(system.run(_dpkg.QUERY).out)
    argv = _apt.apt_get(*FREE, path, lock_timeout=params["lock_timeout"])
    result = _apt.run_waiting(system, argv, params["timeout"], params["lock_timeout"])
    if result.rc == 0:
        return
    from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_restore

    said = []
    if kept:
        again = _apt.apt_get(*FREE, *kept.values(), lock_timeout=params["lock_timeout"])
        if system.run(again, timeout=params["timeout"], env=_apt.ENVIRONMENT).rc == 0:
            said = [f"{', '.join(sorted(kept))} is back from its kept file."]
    said.append(_packages_restore.restore(system, params, Before(packages, [], None, [])))
    raise NvidiaError(
        f"apt could not install {asked.file} (exit status {result.rc}). {' '.join(said)}\n"
        + _apt.excerpt(result.out + "\n" + result.err)
    )


def hold(system, params, _manager, asked):
    _apt.checked(system, params, ["apt-mark", "hold", asked.name], "The package could not be held")


def plan_removal(system, params, _manager, names, before):
    """(words for apt-get, names of what goes): the packages, and what only they needed but *keep*.

    :raises NvidiaError: when something else would go that needs them
    """
    alone = _removes(system, ["purge", "--allow-change-held-packages", *names])
    lost = sorted(set(alone) - set(names))
    if lost:
        raise NvidiaError(
            f"{', '.join(lost)} need {', '.join(names)}, and would go with it. Remove them first if that is right."
        )
    orphans = _removes(system, ["autoremove"])
    stay = sorted({*orphans, *(name for name in params["keep"] if name in before)} - set(names))
    words = ["purge", "--allow-change-held-packages", "--auto-remove", *names, *(f"{name}+" for name in stay)]
    return words, sorted({*names, *_removes(system, words)})


def _removes(system, words):
    result = system.run(_apt.apt_get("-s", *words), timeout=120, env=_apt.ENVIRONMENT)
    if result.rc != 0:
        raise NvidiaError(
            f"apt finds no way for `{' '.join(words)}`; nothing was changed.\n" + _apt.excerpt(result.out + result.err)
        )
    return list(_apt.parse_simulation(result.out).removes)


def remove(system, params, words):
    _apt.checked(system, params, _apt.apt_get(*words, lock_timeout=params["lock_timeout"]), "apt could not remove it")
