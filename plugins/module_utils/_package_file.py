# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A package from a file: what is asked for, what is there, and the way from one to the other."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _dkms_build, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _package_file_deb as deb
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _package_file_rpm as rpm
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages import find_manager
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages_plan import Step, matches
from ansible_collections.gpufleet.nvidia.plugins.module_utils._runfile_header import describe_other
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

FOLDER = "/var/lib/gpufleet/packages"
HASHING = 900
NAMES = {
    "deb": re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]+)_(?P<version>[^_/]+)_(?P<machine>[a-z0-9]+)\.deb"),
    "rpm": re.compile(r"(?P<name>\S+?)-(?P<version>[^-/]+-[^-/]+)\.(?P<machine>x86_64|aarch64|noarch)\.rpm"),
}

# origin: url | host | controller; file: its name; name, version: of the package, None when only the file can tell
Asked = namedtuple("Asked", "origin src file sha256 name version")


def wanted(params, kind):
    """What is asked for, as Asked.

    :raises NvidiaError: for what cannot be meant
    """
    src, remote = params["src"], params["remote_src"]
    if not src or not re.fullmatch(r"(sha256:)?[0-9a-fA-F]{64}", params["sha256"] or ""):
        raise NvidiaError(
            "A package is installed as root, so src (an address or a path) and sha256 (64 digits, as `sha256sum` prints"
            " them for a copy that you trust) are both needed."
        )
    file = re.split(r"[?#]", src)[0].rstrip("/").rsplit("/", 1)[-1]
    if not file.endswith(f".{kind}"):
        raise NvidiaError(f"{file} is no .{kind} file, and that is what this host's package manager takes.")
    origin = "host" if remote else "url" if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", src) else "controller"
    told = NAMES[kind].fullmatch(file)
    name = told["name"] if told else params["name"]
    version = params["version"] or (told["version"].replace("%3a", ":") if told else None)
    if origin != "host" and not (name and version):
        raise NvidiaError(
            f"The name {file} does not tell package and version, so that nobody can say without the file whether it is"
            " installed. Set name and version, or keep the name that the file had."
        )
    return Asked(origin, src, file, params["sha256"].rpartition(":")[2].lower(), name, version)


def ensure(params, system, fetch, *, apply):
    """The result of the module `package_file`; see its RETURN. Only ``transfer``: bring the file first.

    :param fetch: callable(address, path, timeout) that downloads
    """
    manager = find_manager(system, params["manager"])
    tool = deb if manager == "apt" else rpm
    before = tool.installed(system, manager)
    if params["state"] == "absent":
        return _absent(params, system, tool, manager, before, apply)
    asked = wanted(params, tool.KIND)
    path = asked.src if asked.origin == "host" else f"{FOLDER}/{asked.file}"
    if asked.origin == "host" and not (asked.name and asked.version):
        _refuse_checksum(system, asked, path)
        asked = _told(asked, tool.describe(system, path))
    there = before.get(asked.name)
    missing = there is None or not there.whole or not tool.same(there.version, asked.version)
    steps = []
    if missing:
        if asked.origin == "controller" and apply and not params["transferred"] and not _is_here(system, asked, path):
            return {"transfer": True}
        steps = [_install_step(params, system, fetch, tool, manager, asked, path, before, apply)]
    builds = [] if missing else _unbuilt(system, asked, params["kernels"])
    steps += [Step("build", f"Have DKMS install the modules of {asked.name} for {row[2]}", row) for row in builds]
    if params["hold"] and (missing or not there.held):
        steps.append(Step("hold", f"Hold {asked.name}", None))
    if apply and missing:
        tool.install(system, params, manager, asked, path, _kept(system, tool, before, params))
        _keep_only(system, asked.file if params["keep_file"] and asked.origin != "host" else None)
    for module, version, kernel in builds if apply else []:
        _dkms_build.build(system, module, version, kernel, params["timeout"])
    if apply and steps and steps[-1].kind == "hold":
        tool.hold(system, params, manager, asked)
    after = {**_versions(before, params, asked), asked.name: asked.version}
    return _result(steps, _versions(before, params, asked), after, asked.name)


def _unbuilt(system, asked, kernels):
    """[(DKMS's module, version, kernel)] of sources of the package that DKMS has not installed as it built them."""
    version = _dpkg.upstream(asked.version)
    names = _dkms_build.sources(system, version)
    return [
        (name, version, kernel)
        for kernel in kernels
        for name in names
        if not _dkms_build.state(system, name, version, kernel) and not _dkms_build.without_headers(system, [kernel])
    ]


def _install_step(params, system, fetch, tool, manager, asked, path, before, apply):
    """The step that installs; the file was looked at, and what it would bring asked for, where it can be had now."""
    says = f"Install {asked.name} {asked.version}"
    if not apply and asked.origin != "host":
        return Step("install", f"{says}, from {asked.file}", None)
    if asked.origin != "host":
        _obtain(params, system, fetch, asked, path)
    _refuse_checksum(system, asked, path)
    _refuse_other(asked, tool.describe(system, path), tool.machine(system))
    extra = tool.simulate(system, params, manager, asked, path, before, apply)
    return Step("install", f"{says}{' with ' + ', '.join(extra) if extra else ''}", None)


def _obtain(params, system, fetch, asked, path):
    if _is_here(system, asked, path):
        return
    if system.run(["mkdir", "-p", "-m", "0700", FOLDER]).rc != 0:
        raise NvidiaError(f"The folder {FOLDER} cannot be made. Run as root (become: true).")
    partial = f"{path}.partial"
    try:
        if asked.origin == "url":
            fetch(asked.src, partial, params["timeout"])
        elif system.run(["mv", "-f", params["transferred"], partial], timeout=params["timeout"]).rc != 0:
            raise NvidiaError(f"The transferred file could not be moved to {FOLDER}. Is there room?")
        _refuse_checksum(system, asked, partial)
        system.run(["mv", "-f", partial, path], timeout=60)
    finally:
        system.remove(partial)


def _is_here(system, asked, path):
    return _sha256(system, path) == asked.sha256


def _sha256(system, path):
    if not system.exists(path):
        return None
    told = system.run(["sha256sum", path], timeout=HASHING)
    return told.out.split()[0].lstrip("\\") if told.rc == 0 and told.out else None


def _refuse_checksum(system, asked, path):
    found = _sha256(system, path)
    if found is None:
        raise NvidiaError(f"There is no file {path} on the host, or it cannot be read. Put it there.")
    if found != asked.sha256:
        look = describe_other(system.read_bytes(path, 4096) or b"")
        raise NvidiaError(
            f"{asked.file} is not the file that was asked for: its SHA-256 is {found}, and sha256 is {asked.sha256}."
            f" Look at it: {look}. It was not installed, and nothing was changed."
        )


def _told(asked, told):
    return asked._replace(name=asked.name or told[0], version=asked.version or told[1])


def _refuse_other(asked, told, machine):
    """Refuses a file that holds something else than its name, or the variables, say."""
    name, version, for_machine = told
    if (name, version) != (asked.name, asked.version):
        raise NvidiaError(
            f"{asked.file} holds {name} {version}, and {asked.name} {asked.version} was asked for. It was not"
            " installed, and nothing was changed."
        )
    if for_machine not in (machine, "all", "noarch"):
        raise NvidiaError(f"{asked.file} is for {for_machine}, and this host is {machine}. It was not installed.")


def _kept(system, tool, before, params):
    """Files of what may be replaced, to go back to: {name: path}."""
    found = {}
    for file in system.entries(FOLDER):
        told = NAMES[tool.KIND].fullmatch(file)
        if told and told["name"] in before and tool.same(before[told["name"]].version, told["version"]):
            found[told["name"]] = f"{FOLDER}/{file}"
    return found if params["keep_file"] else {}


def _keep_only(system, file):
    for name in system.entries(FOLDER):
        if name != file:
            system.remove(f"{FOLDER}/{name}")


def _absent(params, system, tool, manager, before, apply):
    if not params["name"]:
        raise NvidiaError("Which package is to go? Set name; * stands for anything.")
    names = sorted(name for name in before if matches(name, [params["name"]]))
    if not names:
        return _result([], {}, {}, None)
    words, gone = tool.plan_removal(system, params, manager, names, before)
    if apply:
        tool.remove(system, params, words)
        _keep_only(system, None)
    old = {name: before[name].version for name in names}
    return _result([Step("remove", f"Remove {', '.join(gone)}", None)], old, {}, None)


def _versions(before, params, asked):
    patterns = [asked.name, *params["replaces"]]
    return {name: found.version for name, found in before.items() if matches(name, patterns)}


def _result(steps, before, after, name):
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "name": name,
        "version": after.get(name) if name else None,
        "diff": {"before": {"packages": before}, "after": {"packages": after}},
    }
