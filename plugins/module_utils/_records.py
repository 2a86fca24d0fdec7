# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convergence records: what a role left on a host, kept there by root alone, and checked against the host."""

from __future__ import annotations

import json
import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._record_drift import drift
from ansible_collections.gpufleet.nvidia.plugins.module_utils._record_observe import observe

FOLDER = "/var/lib/gpufleet/records"
FORMAT = 1
NAME = re.compile(r"([a-z][a-z0-9_]*)\.json")
PARTS = ("files", "packages", "units", "facts")
TEXTS = ("role", "collection", "inputs", "converged")


class Damaged(Exception):
    """A record that is not to be trusted; its text is the reason."""


def read(system, folder, role, user_id=0):
    """The record of a role, whole.

    :raises Damaged: when it is another's, another format's, or not whole
    """
    path = f"{folder}/{role}.json"
    if system.link(path) is not None:
        raise Damaged("it is a link")
    for place, bits in ((folder, 0o077), (path, 0o177)):
        mode, owner, _group = system.stat(place) or (0, 0, 0)
        if owner not in (0, user_id) or mode & bits:
            raise Damaged(f"{place} is not root's alone (mode {mode:04o}, owner {owner})")
    text = system.read(path)
    if text is None:
        raise Damaged("it cannot be read")
    return parse(text, role)


def parse(text, role):
    """The record in a text; see :func:`read`."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        raise Damaged("it is not JSON") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else None
        raise Damaged(f"its format is {json.dumps(found)}, not {FORMAT}")
    if any(not isinstance(record.get(key), str) for key in TEXTS):
        raise Damaged("it is not whole")
    if record["role"] != role:
        raise Damaged(f"it is that of the role {record['role']}")
    managed = record.get("managed")
    if not isinstance(managed, dict) or any(not isinstance(managed.get(part), dict) for part in PARTS):
        raise Damaged("it does not say what is managed")
    for part in PARTS[:3]:
        if any(state is not None and not _is_state(part, state) for state in managed[part].values()):
            raise Damaged(f"its {part} cannot be understood")
    return record


NEEDED = {"packages": {"version", "held"}, "units": {"enabled", "active"}}


def _is_state(part, state):
    if not isinstance(state, dict) or not state:
        return False
    return part == "files" or "unreadable" in state or NEEDED[part] <= set(state)


def verify(system, facts, folder=FOLDER, user_id=0):
    """``(records, partial)``: ``ansible_facts['nvidia'].records``, and what could not be read.

    :param facts: what else gpu_facts has gathered
    """
    names = [match[1] for match in map(NAME.fullmatch, system.entries(folder)) if match]
    if user_id != 0 and not names and system.exists(folder):
        reason = f"{folder} is readable by root alone; run as root (become: true)."
        return {}, [{"source": "records", "reason": reason}]
    read_ones: dict = {}
    found: dict = {}
    for role in names:
        try:
            read_ones[role] = read(system, folder, role, user_id)
        except Damaged as exc:
            found[role] = {**dict.fromkeys(TEXTS[1:]), "damaged": str(exc), "unchecked": [], "drift": []}
    managed = [record["managed"] for record in read_ones.values()]
    now = observe(system, {part: sorted({name for was in managed for name in was[part]}) for part in PARTS}, facts)
    found.update({role: _verified(record, now) for role, record in read_ones.items()})
    return dict(sorted(found.items())), []


def _verified(record, now):
    was = record["managed"]
    return {
        **{key: record[key] for key in TEXTS[1:]},
        "damaged": None,
        "unchecked": [path for path in sorted(was["facts"]) if path not in now["facts"]],
        "drift": drift(was, now),
    }
