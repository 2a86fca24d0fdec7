# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine with a licensing daemon, or with a virtual GPU that should have one: all that the facts tell of it."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_conf as conf
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_diagnosis as diagnosis
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_journal as journal
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_license as license_state
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_service as service
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _gridd_token as token
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_facts import CONF, FOLDER
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_time import iso

SMI = ["nvidia-smi", "-q"]


def tokens(system, folder, now):
    """The facts of each token in a folder: claims and permissions, never the token."""
    found = []
    for name in filter(token.is_token_name, system.entries(folder)):
        path = f"{folder}/{name}"
        data, stat = system.read_bytes(path, token.LIMIT + 1), system.stat(path)
        read = token.read(data or b"")
        claims = token.described(read.claims if read.code != "shape" else None)
        mode, uid = (f"{stat[0]:04o}", stat[1]) if stat else (None, None)
        found.append(
            {
                "path": path,
                "mode": mode,
                "owner": owner(system, uid),
                "sha256": read.sha256 if data is not None else None,
                "valid": read.reason is None,
                "reason": f"{name} {read.reason}." if read.reason else None,
                **{key: claims[key] for key in ("jti", "aud", "issued", "not_before", "expires")},
                "expired": read.reason is None and read.claims["exp"] <= now,
                "service_instance": claims["service_instance"],
                "nodes": claims["nodes"],
                "trailing_bytes": read.trailing,
            }
        )
    return found


def owner(system, uid):
    """A user's name by number, or the number as text; None for None."""
    if uid in (0, None):
        return None if uid is None else "root"
    for line in (system.read("/etc/passwd") or "").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2] == str(uid):
            return fields[0]
    return str(uid)


def gpus(system, rows, now):
    """The GPUs with their licences; nvidia-smi is asked where NVML cannot tell everything."""
    found = license_state.from_rows(rows, now)
    if not license_state.must_ask_smi(rows, found):
        return found
    return license_state.merged(found, license_state.parse_smi(service.ask(system, SMI, 30), now))


def is_restart_pending(system, began, paths, now):
    """Whether one of the files was written after the daemon began, so that it does not know them."""
    times = [system.modified(path) for path in paths]
    return began is not None and any(time is not None and began < int(time) <= now for time in times)


def observe(system, present, rows, certain, driver, now):
    """See _gridd_facts.observe."""
    described = conf.describe(CONF, system.read(CONF))
    folder = described["values"].get("ClientConfigTokenPath", "").rstrip("/") or FOLDER
    units, clock = service.observe(system) if system.exists("/run/systemd/system") else ({}, service.TIMELESS)
    events = journal.observe(system) if service.UNIT in units else []
    unit = units.get(service.UNIT)
    facts = {
        "present": present,
        "conf": described,
        "tokens": tokens(system, folder, now),
        "service": service.service(unit, system.read(service.PATH)),
        "clock": {**clock, "now": iso(now)},
        "gpus": gpus(system, rows, now),
        "last_event": journal.last(events),
    }
    paths = [CONF, *(row["path"] for row in facts["tokens"])]
    facts["restart_pending"] = is_restart_pending(system, service.since(unit), paths, now)
    facts["state"] = license_state.overall(facts["gpus"], certain or bool(facts["gpus"]))
    facts["cause"] = diagnosis.diagnose(facts, events, driver)
    return facts
