# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a convergence record: what the role manages is looked at anew, and kept with what it was made from."""

from __future__ import annotations

import json
import re
import time

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _facts, _records
from ansible_collections.gpufleet.nvidia.plugins.module_utils._record_observe import SUBSETS_OF, observe, subsets_of
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

MODE, FOLDER_MODE = 0o600, 0o700


def current(system, params, user_id):
    """The record that is there, without its time; ``{}`` where there is none that can be trusted."""
    if not system.exists(file_of(params)):
        return {}
    try:
        record = _records.read(system, params["path"], params["role"], user_id)
    except _records.Damaged:
        return {}
    return {key: value for key, value in record.items() if key != "converged"}


def file_of(params):
    return f"{params['path']}/{params['role']}.json"


def wanted(system, params, facts):
    """The record as it shall be, without its time."""
    names = {part: sorted(dict.fromkeys(params[part])) for part in _records.PARTS}
    return {
        "format": _records.FORMAT,
        "role": params["role"],
        "collection": params["collection"],
        "inputs": params["inputs"],
        "managed": observe(_facts.Patience(system), names, facts),
    }


def check(params):
    """:raises NvidiaError: for names that can be none"""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", params["role"]):
        raise NvidiaError(f"{params['role']!r} is not the name of a role.")
    wrong = [path for path in params["files"] if not path.startswith("/")]
    if wrong:
        raise NvidiaError(f"files has {', '.join(wrong)}, which is no absolute path.")
    unknown = [path for path in params["facts"] if path.split(".")[0] not in SUBSETS_OF]
    if unknown:
        raise NvidiaError(f"facts has {', '.join(unknown)}, which are no facts of gpu_facts.")
    if params["state"] == "present" and not (params["inputs"] and params["collection"]):
        raise NvidiaError("A record needs inputs and collection: give both digests, or state: absent.")


def ensure(params, system, *, apply, probe=_facts.probe, clock=time.time):
    """The result of the module `convergence_record`; see its RETURN."""
    check(params)
    if params["state"] == "absent":
        return forget(params, system, apply=apply)
    subsets = ["system", *subsets_of(params["facts"])]
    facts = probe(system, subsets, params["timeout"])["ansible_facts"]["nvidia"]
    before, after = current(system, params, facts["system"]["user_id"]), wanted(system, params, facts)
    if apply and before != after:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock()))
        system.folder(params["path"], FOLDER_MODE)
        system.write(file_of(params), json.dumps({**after, "converged": now}, indent=1, sort_keys=True) + "\n", MODE)
    return {"changed": before != after, "path": file_of(params), "diff": {"before": before, "after": after}}


def forget(params, system, *, apply):
    """The same for a record that is not to be there."""
    path, is_there = file_of(params), system.exists(file_of(params))
    if apply and is_there:
        system.remove(path)
    return {"changed": is_there, "path": path, "diff": {"before": {"file": path} if is_there else {}, "after": {}}}
