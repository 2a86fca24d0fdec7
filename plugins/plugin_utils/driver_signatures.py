# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a reboot: will the kernel that boots next load the modules, and who must be at the console for that?"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import RERUN, listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_secure_boot import (
    asks_for_signatures,
    open_requests,
    signed_by,
)

COUNTDOWN = 10  # MokManager's own
UNFINISHED = ("unsigned", "key_not_staged", "key_pending", "key_dismissed", "no_firmware_support", None)


def is_guarded(facts: dict[str, Any], plan: dict[str, Any]) -> bool:
    """Whether signatures decide what this host loads, and are the role's business."""
    return plan["state"] == "present" and plan["secure_boot"]["mode"] != "ignore" and asks_for_signatures(facts)


def refusals(facts: dict[str, Any], plan: dict[str, Any], following: str | None) -> list[str]:
    """Why the kernel that boots next would refuse NVIDIA's modules; empty: it trusts them, or will once confirmed."""
    if not is_guarded(facts, plan):
        return []
    mok = facts.get("mok") or {}
    rows = [row for row in mok.get("modules") or [] if row["kernel"] == following]
    if not rows:
        return [
            f"Whether kernel {following}, which boots next, trusts the NVIDIA modules cannot be proven: the facts have"
            " no signatures of them. Read them as root with gpufleet.nvidia.gpu_facts (gather_subset: all)."
        ]
    leaving = (mok.get("pending") or {}).get("delete") or []
    bad = [row for row in rows if not _will_load(row, mok)]
    if bad:
        return [
            f"Kernel {following} boots next and would refuse {listed([row['name'] for row in bad])}"
            f" ({_reason(bad[0])}): after the reboot no driver would work. {mok.get('next_step') or ''} Or {RERUN}."
        ]
    lost = [key for key in leaving if any(signed_by(row, key) for row in rows)]
    return [
        f"The removal of the key {key['subject']}, which signs the modules of kernel {following}, waits for MokManager:"
        " once it is confirmed no driver would work. Withdraw it (gpufleet.nvidia.mok with state: cancelled), or sign"
        " the modules with another enrolled key."
        for key in lost
    ]


def _will_load(row: dict[str, Any], mok: dict[str, Any]) -> bool:
    """Trusted, about to be confirmed, or enrolled after this boot, so that the next one will know the key."""
    return bool(row["trusted"]) or row["trusted_by"] == "pending" or is_enrolled_since(row, mok)


def is_enrolled_since(row: dict[str, Any], mok: dict[str, Any]) -> bool:
    """Whether the firmware has a module's key that the running kernel has not taken."""
    return row["trusted"] is False and any(signed_by(row, key) for key in mok.get("enrolled") or [])


def _reason(row: dict[str, Any]) -> str:
    if row["signed"] is False:
        return "without a signature"
    return "its signature cannot be read" if row["trusted"] is None else f"signed by {row['signer']}, which is unknown"


def request(facts: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """What waits for MokManager: ``{kind: enrol|delete|None, keys: [rows of the facts], foreign: [subjects]}``.

    ``foreign`` are keys that this collection did not ask for; an enrolment comes before a removal.
    """
    none: dict[str, Any] = {"kind": None, "keys": [], "foreign": []}
    if plan["secure_boot"]["mode"] == "ignore":
        return none
    mok = facts.get("mok") or {}
    ours = {row["sha1"] for row in open_requests(mok)}
    for kind in ("enrol", "delete"):
        keys = (mok.get("pending") or {}).get(kind) or []
        if keys:
            return {"kind": kind, "keys": keys, "foreign": [row["subject"] for row in keys if row["sha1"] not in ours]}
    return none


def request_reasons(waiting: dict[str, Any]) -> list[str]:
    """Why the host must reboot, for a request of ours; somebody else's is no reason."""
    mine = [row["subject"] for row in waiting["keys"] if row["subject"] not in waiting["foreign"]]
    what = "enrolment" if waiting["kind"] == "enrol" else "removal"
    return [f"The {what} of the key {listed(mine)} waits for MokManager, which asks at the next boot"] if mine else []


def taking_reasons(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    """A key that came after this boot is taken by the next one."""
    mok = facts.get("mok") or {}
    rows = [row["name"] for row in mok.get("modules") or [] if is_enrolled_since(row, mok)]
    if not rows or not is_guarded(facts, plan):
        return []
    return [f"The key that signs {listed(rows)} was enrolled after this boot, and the kernel takes it at the next"]


def attended_by(plan: dict[str, Any], waiting: dict[str, Any]) -> str | None:
    """Who must be at the console during the reboot: ``console`` (the playbook), ``person``, or None: nobody."""
    if waiting["kind"] is None:
        return None
    return "console" if plan["secure_boot"]["console"] and not waiting["foreign"] else "person"


def instructions(facts: dict[str, Any], waiting: dict[str, Any], password_at: str) -> list[str]:
    """What a person does at the console, in order.

    :param password_at: where the one-time password is to be found, as words
    """
    if waiting["kind"] is None:
        return []
    seconds = (facts.get("mok") or {}).get("timeout")
    limit = "it waits for you" if seconds == -1 else f"you have {COUNTDOWN if seconds is None else seconds} seconds"
    entry, title = ("Enroll MOK", "Enroll the key(s)?") if waiting["kind"] == "enrol" else ("Delete MOK", "Delete")
    prints = [f"{row['subject']}, SHA-1 {_colons(row['sha1'])}" for row in waiting["keys"]]
    foreign = waiting["foreign"]
    strange = [f"Not asked for by this collection: {listed(foreign)}. Say No if you do not know it."] if foreign else []
    return [
        "Sit at the host's console (screen and keyboard, or its management controller), and reboot the host.",
        f"At 'Press any key to perform MOK management' press a key; {limit}, and an unanswered request is lost.",
        f"Choose {entry}, then View key, and compare: {listed(prints)}.",
        *strange,
        f"Choose Continue, answer '{title}' with Yes, and type the one-time password ({password_at}); the keyboard is a"
        " US one.",
        "Choose Reboot, and when the host is back run playbooks/verify.yml.",
    ]


def _colons(digits: str) -> str:
    return ":".join(digits[place : place + 2] for place in range(0, len(digits), 2))


def deviations_of_signatures(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    """The state of the facts, where it is not that the modules load."""
    mok = facts.get("mok") or {}
    if not is_guarded(facts, plan) or not mok or mok.get("state") not in UNFINISHED:
        return []
    return [str(mok.get("next_step"))]


def is_trusted(facts: dict[str, Any], release: str | None) -> bool:
    """Whether this kernel, which runs, will load the modules that lie on the disk for it."""
    if not asks_for_signatures(facts):
        return True
    rows = [row for row in (facts.get("mok") or {}).get("modules") or [] if row["kernel"] == release]
    return bool(rows) and all(row["trusted"] for row in rows)
