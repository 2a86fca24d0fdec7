# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environments below a prefix: their records, the links `current` and `previous`, what is installed in one."""

from __future__ import annotations

import hashlib
import json
import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_distributions as names_tell
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_facts import SERVER, drop_ins

# whole: built and proved, and still as it was then; record: what its file says; made: when that was written
# lacks: what of it is gone or another, in words; astray: (path, mode) of files of ours that are somebody else's
Environment = namedtuple("Environment", "name path whole record made lacks astray")
# current, previous: names of environments that the links mean, or None; taken: all names below the prefix
# served: names of environments that units of vLLM start their servers from
State = namedtuple("State", "environments current previous taken served")

RECORD_MODE, PROGRAM_MODE = 0o644, 0o755
PROGRAM = "bin/vllm"  # what units start


def observe(system, prefix, owner=(0, 0)):
    """State of the prefix; reads files and runs nothing.

    :param owner: (user, group) that the files of ours shall belong to
    """
    names = system.entries(prefix)
    places = [name[: -len(".json")] for name in names if re.match(r"env-.*\.json$", name)]
    found = [_environment(system, prefix, name, owner) for name in places]
    return State(
        {one.name: one for one in found if one},
        _meant(system, prefix, "current"),
        _meant(system, prefix, "previous"),
        {re.sub(r"\.json$", "", name) for name in names if not name.endswith((".log", ".txt"))},
        served(system, prefix),
    )


def served(system, prefix):
    """Names of environments of the prefix that units start their servers from."""
    paths = {match[1] for text in drop_ins(system).values() for match in SERVER.finditer(text)}
    return {name for folder, _slash, name in (path.rpartition("/") for path in paths) if folder == prefix}


def _environment(system, prefix, name, owner):
    path = f"{prefix}/{name}"
    try:
        record = json.loads(system.read(f"{path}.json") or "")
    except ValueError:
        return None
    if not isinstance(record, dict) or not isinstance(record.get("recipe"), dict):
        return None
    is_ready = record.get("state") == "ready"
    lacks = lacking(system, path, record) if is_ready else []
    made = system.modified(f"{path}.json") or 0.0
    return Environment(name, path, is_ready and not lacks, record, made, lacks, astray(system, path, owner))


def lacking(system, path, record):
    """What an environment had when it was proved and has no more, in words; a removed Python leaves a dangling link.

    What was added to it since is nobody's loss.
    """
    interpreter, package, names = f"{path}/bin/python", record["recipe"].get("package"), names_in(system, path)
    lacks = [] if system.exists(system.real(interpreter)) else [f"the interpreter of {interpreter}"]
    found = names_tell.distributions(names).get(package)
    if found is None or found != record.get("version"):
        lacks.append(f"{package} {record.get('version')}")
    if record.get("program") is not None and program_sum(system, path) != record["program"]:
        lacks.append(f"{PROGRAM} as it was")
    return lacks + names_tell.gone(record, names)


def program_sum(system, path):
    """SHA-256 of the program that units start, or None."""
    data = system.read_bytes(f"{path}/{PROGRAM}")
    return None if data is None else hashlib.sha256(data).hexdigest()


def astray(system, path, owner):
    """[(path, mode)] of the files of ours beside and in an environment that have other rights than they shall have."""
    shall = [(f"{path}.json", RECORD_MODE), (f"{path}/{PROGRAM}", PROGRAM_MODE)]
    return [(file, mode) for file, mode in shall if system.stat(file) not in (None, (mode, *owner))]


def _meant(system, prefix, link):
    target = system.link(f"{prefix}/{link}")
    return target.rstrip("/").rsplit("/", 1)[-1] if target else None


def packages(system, path):
    """{name: version} of the distributions in an environment, by the names of their metadata folders."""
    return names_tell.distributions(names_in(system, path))


def names_in(system, path):
    """All names in the folders that hold an environment's packages."""
    return [name for folder in site_packages(system, path) for name in system.entries(folder)]


def site_packages(system, path):
    """The folders that hold an environment's packages."""
    versions = [name for name in system.entries(f"{path}/lib") if re.fullmatch(r"python\d+\.\d+t?", name)]
    return [f"{path}/lib/{name}/site-packages" for name in versions]


def is_version(found, asked):
    """Whether a found version is the release that was asked for; `0.32.0+cpu` is `0.32.0`."""
    return found is not None and (asked is None or found == asked or found.split("+")[0] == asked)
