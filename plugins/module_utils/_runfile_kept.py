# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this module remembers on the host: the driver's file, to be able to go back, and what it has begun.

Everything lies in one folder that root alone can read.
"""

from __future__ import annotations

import json
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

FOLDER = "/var/lib/gpufleet/runfiles"
RECORD = f"{FOLDER}/installed.json"

# driver: {kind, version, file, sha256, arguments} | None; toolkits: {path: version}; begun: paths of unfinished ones
Record = namedtuple("Record", "driver toolkits begun")


def parse(text):
    """Record from its file; one that cannot be read counts as empty."""
    try:
        told = json.loads(text or "{}")
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    driver = told.get("driver")
    toolkits, begun = told.get("toolkits"), told.get("begun")
    whole = isinstance(driver, dict) and all(driver.get(key) for key in ("kind", "version", "file", "sha256"))
    return Record(
        driver if whole else None,
        toolkits if isinstance(toolkits, dict) else {},
        [path for path in begun if isinstance(path, str)] if isinstance(begun, list) else [],
    )


def read(system):
    return parse(system.read(RECORD))


def write(system, record):
    system.write(RECORD, json.dumps(record._asdict(), indent=1, sort_keys=True) + "\n", mode=0o600)


def make_folder(system):
    made = system.run(["mkdir", "-p", "-m", "0700", FOLDER])
    if made.rc != 0:
        raise NvidiaError(f"The folder {FOLDER} cannot be made: {made.err.strip()}. Run as root (become: true).")


def path_for(name):
    return f"{FOLDER}/{name}"


def forget_files(system, keep=None):
    """Removes every .run file from the folder but the one to keep."""
    for name in system.entries(FOLDER):
        if name.endswith((".run", ".partial")) and path_for(name) != keep:
            system.remove(path_for(name))
