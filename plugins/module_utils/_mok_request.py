# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate among the machine owner keys: enrolled, absent, or its request withdrawn."""

from __future__ import annotations

import time
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok as mok
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_certificate as certificates
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_host as host
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_password as passwords
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_request_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_requests as requests
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_stage as stage
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _secure_boot as secure_boot
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mok_request_plan import Before
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

Key = namedtuple("Key", "der sha1 serial subject")
EVERYTHING = Key(None, None, None, None)  # state=cancelled without a certificate


def ensure(params, system, *, apply, now=time.time):
    """The result of the module `mok`; see its RETURN."""
    found = _certificate(params, system)
    key = Key(found.der, found.sha1, found.serial, found.subject) if found else EVERYTHING
    facts = secure_boot.observe_firmware(system)
    if facts["firmware"] != "uefi" and params["state"] != "enrolled":
        return _result(params, key, decide.NOTHING, decide.NOTHING, [])
    store = host.observe(system)
    if facts["firmware"] != "uefi" or not store["mounted"]:
        raise NvidiaError(host.refusal(facts, store, 0))
    before = observe(system, key)
    moment = now()
    steps = decide.plan(before, params, lambda name: _same_password(system, params, name))
    after = decide.predict(before, steps)
    if any(step.kind in decide.STAGING for step in steps):
        _check(system, params, found, (facts, store), moment)
    elif steps and facts["mokutil"] is None:
        raise NvidiaError(host.refusal(facts, {**store, "writable": True, "space": None}, 0))
    if apply:
        stage.carry_out(system, params, key, steps)
        _remember(system, key, before, after, steps, certificates.written(moment))
    return _result(params, key, before, after, steps)


def _certificate(params, system):
    if params["state"] == "cancelled" and not params["certificate"] and not params["content"]:
        return None
    return certificates.load(system, params["certificate"], params["content"])


def observe(system, key):
    """Before: what the firmware and our own memory say of a key.

    :raises NvidiaError: where only root may read it
    """
    lists = {name: mok.listed(system, name, "mok") for name in ("MokNew", "MokDel", "MokListRT", "MokListXRT")}
    database = mok.listed(system, "db", "db")
    rows = requests.read(system)
    if rows is None or lists["MokNew"] is None or lists["MokDel"] is None:
        raise NvidiaError("Which requests wait for MokManager only root may read. Run as root (become: true).")
    blocked = [*(lists["MokListXRT"] or []), *(mok.listed(system, "dbx", "dbx") or [])]
    places = {"mok": lists["MokListRT"], "db": database}
    return Before(
        source=next((name for name, keys in places.items() if _among(keys, key.sha1)), None),
        blocked=_among(blocked, key.sha1),
        enrol=[row["sha1"] for row in lists["MokNew"]],
        delete=[row["sha1"] for row in lists["MokDel"]],
        subjects={row["sha1"]: row["subject"] for row in [*lists["MokNew"], *lists["MokDel"]]},
        sha1=key.sha1,
        timeout=efi.parse_number(efi.value(system, "MokTimeout")),
        requests=rows,
        boot_id=(system.read(mok.BOOT_ID) or "").strip(),
        settled=_settled(rows, lists, database),
    )


def _settled(rows, lists, database):
    enrolled = {row["sha1"] for row in [*(lists["MokListRT"] or []), *(database or [])]}
    waiting = {row["sha1"] for row in [*lists["MokNew"], *lists["MokDel"]]}
    done = (row for row in rows if (row["sha1"] in enrolled) == (row["action"] == "enrol"))
    return [row["sha1"] for row in done if row["sha1"] not in waiting]


def _among(rows, sha1):
    return any(row["sha1"] == sha1 for row in rows or [])


def _same_password(system, params, name):
    """Whether a waiting request has the password that was given; none given: that is nobody's business."""
    if params["password"] is None:
        return True
    return passwords.confirms(system, passwords.parse_auth(efi.value(system, name)), params["password"])


def _check(system, params, found, machine, moment):
    """Refuses what could not work, before anything is staged."""
    facts, store = machine
    waiting = sum(len(efi.value(system, name) or b"") for name in ("MokNew", "MokDel"))
    reason = host.refusal(facts, store, host.needed(len(found.der), waiting))
    if not reason and params["state"] == "enrolled":
        reason = _unsuitable(system, params, found, moment)
    reason = reason or passwords.refusal(params["password"])
    if not reason and system.which("openssl") is None:
        reason = passwords.NO_OPENSSL
    if reason:
        raise NvidiaError(reason)


def _unsuitable(system, params, found, moment):
    release = (system.read("/proc/sys/kernel/osrelease") or "").strip()
    distribution = certificates.parse_distribution(system.read("/etc/os-release"))
    return certificates.refusal(
        found,
        moment,
        system.read(f"/boot/config-{release}"),
        distribution if params["check_authority"] else certificates.LOOKS_AT_PLATFORM,
    )


def _remember(system, key, before, after, steps, moment):
    """Keeps our memory true: a request that was made or seen is in it, one that came true or was withdrawn is not."""
    rows = [row for row in before.requests if row["sha1"] not in before.settled]
    kinds = {step.kind for step in steps}
    if key.sha1 is None:
        rows = [row for row in rows if row["sha1"] not in {*before.enrol, *before.delete}]
    elif kinds & {"stage_enrol", "stage_delete"}:
        rows = requests.remember(
            rows, key._asdict(), "enrol" if "stage_enrol" in kinds else "delete", before.boot_id, moment
        )
    elif after.status in ("pending", "pending_removal"):
        action = "enrol" if after.status == "pending" else "delete"
        if not any(row["sha1"] == key.sha1 and row["action"] == action for row in rows):  # somebody else made it
            rows = requests.remember(rows, key._asdict(), action, before.boot_id, moment)
    else:
        rows = requests.forget(rows, key.sha1)
    if rows != before.requests:
        requests.write(system, rows)


def _result(params, key, before, after, steps):
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "status": after.status,
        "source": after.source,
        "sha1": key.sha1,
        "subject": key.subject,
        "timeout": after.timeout,
        "others": after.others,
        "reboot_required": bool(after.enrol or after.delete),
        "next_step": decide.next_step(before, after, params),
        "diff": {"before": decide.shown(before), "after": decide.shown(after)},
    }
