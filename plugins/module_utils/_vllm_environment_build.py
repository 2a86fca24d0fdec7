# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building an environment beside the others and proving it; a failure takes away what was built."""

from __future__ import annotations

import json

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_environment_commands as commands
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_environment_failure as failure
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_environment_observe as observation
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_distributions import lasting

PROVING = 600
DELETING = 600
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
PROOF = (
    "import importlib, sys\n"
    "for name in sys.argv[1:]:\n"
    "    print(name, getattr(importlib.import_module(name), '__version__', 'imports'))\n"
)


def build(system, want, params, name, installer, python):
    """Makes PREFIX/NAME; its record says `ready` only after the proof.

    :raises NvidiaError: with the decisive lines; nothing but the log stays then
    """
    path = f"{want.prefix}/{name}"
    log, scratch = f"{path}.log", f"{want.prefix}/.tmp"
    record = {"state": "building", "recipe": want.recipe, "imports": want.imports, "installer": installer}
    system.folder(want.prefix)
    remove(system, path)
    _record(system, path, record)
    system.write(log, "", 0o600)
    system.folder(scratch, 0o700)  # a small /tmp does not hold what pip unpacks
    try:
        _install(system, want, params, path, (installer, python, log, scratch))
        found = observation.packages(system, path).get(want.package)
        if not observation.is_version(found, want.version):
            raise NvidiaError(f"{want.package} {want.version} was asked for and {found} was installed. Log: {log}.")
        told = prove(system, path, want.imports)
    except NvidiaError as exc:
        remove(system, path)
        raise NvidiaError(f"{exc} What was half built has been removed; the current environment is untouched.") from exc
    finally:
        system.run(["rm", "-rf", "--one-file-system", scratch], timeout=DELETING)
    _run(system, ["chmod", "-R", "a+rX", path], DELETING, f"Opening {path} to the service's user", log)
    holds = {
        "site_packages": lasting(observation.names_in(system, path)),
        "program": observation.program_sum(system, path),
    }
    _record(system, path, {**record, "state": "ready", "version": found, "python": python, "proof": told, **holds})


def _install(system, want, params, path, tools):
    installer, python, log, scratch = tools
    variables = {**commands.environment(installer, params), "TMPDIR": scratch}
    _run(system, commands.venv(installer, python, path), 300, f"Making {path}", log, variables)
    constraints = None
    if params["constraints"]:
        constraints = f"{path}.constraints.txt"
        system.write(constraints, "".join(f"{line}\n" for line in params["constraints"]))
    argv = commands.install(installer, path, want, params, constraints, log)
    _run(system, argv, params["timeout"], f"Installing {want.package} {want.version}", log, variables)
    there = observation.packages(system, path)
    unwanted = [package for package in want.recipe["absent_packages"] if package in there]
    if unwanted:
        argv = commands.uninstall(installer, path, unwanted, log)
        _run(system, argv, 300, f"Removing {', '.join(unwanted)}", log, variables)
    for package, version in sorted(want.recipe["provides"].items()):
        provide(system, path, package, version)


def provide(system, path, package, version):
    """Metadata for a name that the package is asked by and does not carry."""
    name = package.replace("-", "_")
    for folder in observation.site_packages(system, path):
        text = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        system.write(f"{folder}/{name}-{version}.dist-info/METADATA", text)
        system.write(f"{folder}/{name}-{version}.dist-info/INSTALLER", "gpufleet.nvidia\n")


def prove(system, path, imports):
    """What the environment says of itself: it imports, and a program of the same name prints its version.

    :raises NvidiaError: with the last line of what went wrong
    """
    python = f"{path}/bin/python"
    told = _proved(system, [python, "-c", PROOF, *imports], f"{python} cannot import {', '.join(imports)}")
    programs = [f"{path}/bin/{name}" for name in imports if name == "vllm" and system.exists(f"{path}/bin/{name}")]
    for program in programs:
        told += _proved(system, [program, "--version"], f"{program} does not print its version")
    return told


def _proved(system, argv, what):
    try:
        done = system.run(argv, timeout=PROVING, env=QUIET)
    except CommandTimeout as exc:
        raise NvidiaError(f"{what} within {PROVING} s; the host is overloaded or it hangs.") from exc
    lines = [line.strip() for line in (done.out if done.rc == 0 else done.err or done.out).splitlines() if line.strip()]
    if done.rc:
        raise NvidiaError(
            f"{what}: {lines[-1] if lines else f'it ended with {done.rc}'}. A package is missing, too many or too new: "
            "see extra_packages, absent_packages, provides and constraints."
        )
    return lines[-3:]


def _record(system, path, record):
    system.write(f"{path}.json", json.dumps(record, indent=1, sort_keys=True) + "\n")


def _run(system, argv, timeout, what, log, variables=None):
    try:
        done = system.run(argv, timeout=timeout, env=variables)
    except CommandTimeout as exc:
        raise NvidiaError(
            f"{what} did not end within {timeout} s. Set timeout to more seconds; what was downloaded is in the cache. "
            f"Log: {log}."
        ) from exc
    text = f"{done.out}\n{done.err}"
    if argv[0] == "uv":  # pip writes the log itself, while it runs
        system.write(log, (system.read(log) or "") + failure.redacted(text), 0o600)
    if done.rc:
        raise NvidiaError(failure.sentence(what, done.rc, text, log))


def regain(system, files, owner):
    """Gives files their owner and mode again, in place.

    :param files: [(path, mode)]
    """
    for path, mode in files:
        for argv in (["chown", ":".join(map(str, owner)), path], ["chmod", f"{mode:04o}", path]):
            done = system.run(argv)
            if done.rc:
                raise NvidiaError(f"{' '.join(argv)} failed: {done.err.strip()}. Run as root (become: true).")


def remove(system, path):
    """Deletes an environment and its record.

    :raises NvidiaError: when it cannot be deleted
    """
    done = system.run(["rm", "-rf", "--one-file-system", path], timeout=DELETING)
    if done.rc:
        raise NvidiaError(f"{path} cannot be removed: {done.err.strip() or done.rc}. Remove it by hand.")
    for ending in (".json", ".constraints.txt"):
        system.remove(f"{path}{ending}")
