# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environments below a prefix: their records, the links `current` and `previous`, what is installed in one."""

from __future__ import annotations

import json
import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_environment_wanted import normal

# whole: built and proved, and still there; record: what its file says; made: when that was written
Environment = namedtuple("Environment", "name path whole record made")
# current, previous: names of environments that the links mean, or None; taken: all names below the prefix
State = namedtuple("State", "environments current previous taken")

DIST_INFO = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*?)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")


def observe(system, prefix):
    """State of the prefix; reads files and runs nothing."""
    names = system.entries(prefix)
    found = [_environment(system, prefix, name[: -len(".json")]) for name in names if re.match(r"env-.*\.json$", name)]
    return State(
        {one.name: one for one in found if one},
        _meant(system, prefix, "current"),
        _meant(system, prefix, "previous"),
        {re.sub(r"\.json$", "", name) for name in names if not name.endswith((".log", ".txt"))},
    )


def _environment(system, prefix, name):
    path = f"{prefix}/{name}"
    try:
        record = json.loads(system.read(f"{path}.json") or "")
    except ValueError:
        return None
    if not isinstance(record, dict) or not isinstance(record.get("recipe"), dict):
        return None
    whole = record.get("state") == "ready" and is_there(system, path, record)
    return Environment(name, path, whole, record, system.modified(f"{path}.json") or 0.0)


def is_there(system, path, record):
    """Whether interpreter and package of a record are still there; a removed Python leaves a dangling link."""
    interpreter = f"{path}/bin/python"
    found = packages(system, path).get(record["recipe"].get("package"))
    return system.exists(system.real(interpreter)) and found is not None and found == record.get("version")


def _meant(system, prefix, link):
    target = system.link(f"{prefix}/{link}")
    return target.rstrip("/").rsplit("/", 1)[-1] if target else None


def packages(system, path):
    """{name: version} of the distributions in an environment, by the names of their metadata folders."""
    found = {}
    for folder in site_packages(system, path):
        for name in system.entries(folder):
            match = DIST_INFO.fullmatch(name)
            if match:
                found[normal(match["name"])] = match["version"]
    return found


def site_packages(system, path):
    """The folders that hold an environment's packages."""
    versions = [name for name in system.entries(f"{path}/lib") if re.fullmatch(r"python\d+\.\d+t?", name)]
    return [f"{path}/lib/{name}/site-packages" for name in versions]


def is_version(found, asked):
    """Whether a found version is the release that was asked for; `0.32.0+cpu` is `0.32.0`."""
    return found is not None and (asked is None or found == asked or found.split("+")[0] == asked)
