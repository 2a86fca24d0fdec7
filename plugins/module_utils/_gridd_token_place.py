# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `gridd_token`: one sound token in the daemon's folder, its exact bytes, and no other token beside it."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_token as token
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_token_source as sources
from ansible_collections.gpufleet.nvidia.plugins.module_utils._managed_files import parse_mode
from ansible_collections.gpufleet.nvidia.plugins.module_utils._rights import OPEN, ROOT, is_open
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# A token in the folder; mode, uid and gid None where it cannot be told; link: whether it is a symbolic link
Held = namedtuple("Held", "path token mode uid gid link")
# kind: folder | write | own | remove; says: a sentence
Step = namedtuple("Step", "kind path says")
# What shall be there: token None where it is not known yet; data None where nothing has to be written
Wanted = namedtuple("Wanted", "path token mode uid data")

STAYS = sources.STAYS
GROUP = 0  # root's, whoever the owner is


def observe(system, folder):
    """[Held] of the tokens in a folder."""
    held = []
    for name in filter(token.is_token_name, system.entries(folder)):
        path = f"{folder}/{name}"
        data, stat = system.read_bytes(path, token.LIMIT + 1), system.stat(path)
        mode, uid, gid = stat or (None, None, None)
        held.append(Held(path, token.read(data or b""), mode, uid, gid, system.link(path) is not None))
    return held


def is_working(file, now):
    """Whether a file holds a token that the daemon can use."""
    return token.refusal(file.token, now) is None


def choose_name(name, given, read, held):
    """File name for a token: the one asked for, that of a file with the same bytes, the source's, or one by its jti."""
    if name:
        return name
    same = [file.path.rpartition("/")[2] for file in held if file.token.sha256 == read.sha256 and not file.link]
    if given in same:
        return given
    usable = given and token.is_token_name(given) and re.fullmatch(r"[\w.-]+", given)
    fallback = f"client_configuration_token_{sources.digest(str(read.claims.get('jti')))}.tok"
    return same[0] if same else given if usable else fallback


def plan(held, want, exclusive, is_theirs=False):
    """[Step] to have the token there; with *exclusive* no other one.

    :param is_theirs: whether somebody else than root may put tokens into the folder
    """
    folder = want.path.rpartition("/")[0]
    steps = [Step("folder", folder, f"Let root alone write {folder}")] if is_theirs else []
    there = next((file for file in held if file.path == want.path), None)
    if there is None or there.link or want.token is None or there.token.sha256 != want.token.sha256:
        steps.append(Step("write", want.path, f"Put the token into {want.path}"))
    elif (there.mode, there.uid, there.gid) != (want.mode, want.uid, GROUP):
        steps.append(Step("own", want.path, f"Set owner and mode of {want.path}"))
    others = [file.path for file in held if file.path != want.path] if exclusive else []
    return steps + [Step("remove", path, f"Remove the other token {path}") for path in others]


def described(held):
    return [shown(file.path, file.token.sha256, file.mode, file.uid, file.gid) for file in held]


def shown(path, sha256, mode, uid, gid=GROUP):
    """What a difference tells of a token."""
    return {"path": path, "sha256": sha256, "mode": None if mode is None else f"{mode:04o}", "uid": uid, "gid": gid}


def predict(held, steps, want):
    """What the folder holds after the steps, for the difference: paths, digests and modes, nothing of a token."""
    gone = {step.path for step in steps}
    rows = described([file for file in held if file.path not in gone])
    if any(step.kind in ("write", "own") for step in steps):
        digest = want.token.sha256 if want.token else "not known before it is fetched"
        rows.append(shown(want.path, digest, want.mode, want.uid))
    return sorted(rows, key=lambda row: row["path"])


def carry_out(system, steps, want):
    for step in steps:
        if step.kind == "remove":
            system.remove(step.path)
            continue
        if step.kind == "folder":
            system.own(step.path, *ROOT)
            _run(system, ["chmod", f"{system.stat(step.path)[0] & ~OPEN:04o}", step.path])
            continue
        if step.kind == "write":
            system.write(step.path, want.data.decode("ascii"), want.mode)
        stat = system.stat(step.path)
        if stat and stat[1:] != (want.uid, GROUP):
            system.own(step.path, want.uid, GROUP)
        if stat and stat[0] != want.mode:
            _run(system, ["chmod", f"{want.mode:04o}", step.path])


def _run(system, argv):
    told = system.run(argv)
    if told.rc != 0:
        raise NvidiaError(f"{' '.join(argv)} failed: {told.err.strip()}. Run as root (become: true).")


def user_id(system, name):
    """Number of a user.

    :raises NvidiaError: where there is none of that name
    """
    if name == "root" or name.isdigit():
        return 0 if name == "root" else int(name)
    fields = system.run(["getent", "passwd", name], timeout=15).out.split(":")
    if len(fields) < 3 or not fields[2].isdigit():
        raise NvidiaError(f"The host knows no user {name!r} for the token to belong to. Correct owner. {STAYS}")
    return int(fields[2])


def find(params, system, held, folder, fetch, now, apply):
    """Wanted, as the options name it.

    :raises NvidiaError: when the token must not be put in place
    """
    origin = sources.source(params, system)
    mode, uid = parse_mode(params["mode"]), user_id(system, params["owner"])
    if origin.data is None:
        path = f"{folder}/{params['name'] or origin.name}"
        there = next((file for file in held if file.path == path), None)
        if there and params["refresh"] == "missing" and is_current(there, params["service_instance"], now):
            return Wanted(path, there.token, mode, uid, None)
        if not apply:
            return Wanted(path, None, mode, uid, None)
        origin = origin._replace(data=fetch(params["url"], params["ca_path"], params["timeout"]))
    present = {token.instance(file.token.claims) for file in held if is_working(file, now)}
    read = sources.accept(origin, now, params["service_instance"], present)
    name = choose_name(params["name"] or (origin.name if params["url"] else None), origin.name, read, held)
    return Wanted(f"{folder}/{name}", read, mode, uid, origin.data)


def is_current(file, wanted, now):
    """Whether the token of an address is there and works, so that it need not be fetched."""
    return not file.link and is_working(file, now) and wanted in (None, "", token.instance(file.token.claims))


def refuse(params, folder):
    """Refuses options that name no folder or no file in it."""
    name = params["name"]
    if not folder.startswith("/"):
        raise NvidiaError(f"folder is {params['folder']!r}; give the absolute path of a folder. {STAYS}")
    if name and not (token.is_token_name(name) and re.fullmatch(r"[\w.-]+", name)):
        raise NvidiaError(f"{name!r} is no name for a token: a file's name without a slash that ends in .tok. {STAYS}")


def ensure(params, system, fetch, now, *, apply):
    """The result of the module `gridd_token`; see its RETURN.

    :param fetch: callable(url, ca_path, timeout) that gives bytes; :param now: this host's clock, in seconds
    """
    folder = params["folder"].rstrip("/")
    refuse(params, folder)
    held, want = observe(system, folder), None
    if params["state"] == "absent":
        gone = [file.path for file in held if params["name"] in (None, "", file.path.rpartition("/")[2])]
        steps = [Step("remove", path, f"Remove the token {path}") for path in gone]
    else:
        want = find(params, system, held, folder, fetch, now, apply)
        steps = plan(held, want, params["exclusive"], is_open(system.stat(folder)))
    if apply:
        carry_out(system, steps, want)
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "path": want.path if want else None,
        "claims": token.described(want.token.claims) if want and want.token else None,
        "removed": [step.path for step in steps if step.kind == "remove"],
        "restart_required": any(step.kind in ("write", "remove") for step in steps),
        "diff": {"before": {"tokens": described(held)}, "after": {"tokens": predict(held, steps, want)}},
    }
