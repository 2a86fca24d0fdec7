# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a convergence record: what the role manages is looked at anew, and kept with what it was made from."""

from __future__ import annotations

import json
import re
import time

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _facts, _records
from ansible_collections.gpufleet.nvidia.plugins.module_utils._record_observe import observe, subsets_of
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

MODE, FOLDER_MODE = 0o600, 0o700


def current(system, params):
    """(record or None, whether the file is there, and whether it and its folder are root's alone)"""
    path = f"{params['path']}/{params['role']}.json"
    if not system.exists(path):
        return None, False, True
    try:
        return _records.read(system, params["path"], params["role"]), True, True
    except _records.Damaged:
        return None, True, False


def wanted(system, params, facts):
    """The record as it shall be, without its time."""
    names = {part: sorted(dict.fromkeys(params[part])) for part in _records.PARTS}
    return {
        "format": _records.FORMAT,
        "role": params["role"],
        "collection": params["collection"],
        "inputs": params["inputs"],
        "managed": observe(system, names, facts),
    }


def check(params):
    """:raises NvidiaError: for names that can be none"""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", params["role"]):
        raise NvidiaError(f"{params['role']!r} is not the name of a role.")
    wrong = [path for path in params["files"] if not path.startswith("/")]
    if wrong:
        raise NvidiaError(f"files has {', '.join(wrong)}, which is no absolute path.")
    unknown = [path for path in params["facts"] if path.split(".")[0] not in _facts_known()]
    if unknown:
        raise NvidiaError(f"facts has {', '.join(unknown)}, which are no facts of gpu_facts.")
    if params["state"] == "present" and not (params["inputs"] and params["collection"]):
        raise NvidiaError("A record needs inputs and collection: give both digests, or state: absent.")


def _facts_known():
    from ansible_collections.gpufleet.nvidia.plugins.module_utils._record_observe import SUBSETS_OF

    return SUBSETS_OF


def ensure(params, system, *, apply, probe=_facts.probe, clock=time.time):
    """The result of the module `convergence_record`; see its RETURN."""
    check(params)
    path = f"{params['path']}/{params['role']}.json"
    record, is_there, is_whole = current(system, params)
    before = {key: value for key, value in (record or {}).items() if key != "converged"}
    if params["state"] == "absent":
        if apply and is_there:
            system.remove(path)
        return {"changed": is_there, "path": path, "diff": {"before": before, "after": {}}}
    subsets = ["system", *subsets_of(params["facts"])]
    facts = probe(system, subsets, params["timeout"])["ansible_facts"]["nvidia"]
    after = wanted(system, params, facts)
    changed = before != after or not is_whole
    if apply and changed:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock()))
        system.folder(params["path"], FOLDER_MODE)
        system.write(path, json.dumps({**after, "converged": now}, indent=1, sort_keys=True) + "\n", MODE)
    return {"changed": changed, "path": path, "diff": {"before": before, "after": after}}
