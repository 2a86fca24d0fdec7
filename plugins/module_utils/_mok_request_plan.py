# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done about one machine owner key: the decisions, without the machine."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

DEFAULT_TIMEOUT = 10  # MokManager's own; mokutil removes its variable for it
LONGEST_TIMEOUT = 32767
STAGING = ("stage_enrol", "stage_delete")
VARIABLES = {"enrol": "MokAuth", "delete": "MokDelAuth"}
CONSOLE = (
    "at the next boot MokManager asks at the console ({0}), and a request that nobody answers is lost. Reboot with"
    " gpufleet.nvidia.mok_console, or confirm by hand: {1}, Continue, Yes, the password, Reboot"
)

# kind: withdraw_enrol | withdraw_delete | stage_enrol | stage_delete | timeout; says: a sentence; seconds: of a timeout
Step = namedtuple("Step", "kind says seconds", defaults=[None])


class Before(
    namedtuple(
        "Before",
        "source blocked enrol delete subjects sha1 timeout requests boot_id settled",
        defaults=(None, False, (), (), None, None, None, (), "", ()),
    )
):
    """source: mok | db | None, where the firmware has the key; enrol, delete: SHA-1 of what waits; sha1: of the key;
    settled: SHA-1 of the keys whose requests came true."""

    @property
    def status(self):
        if self.sha1 is None:
            return "pending" if self.enrol else "pending_removal" if self.delete else "absent"
        if self.sha1 in self.delete:
            return "pending_removal"
        if self.source:
            return "enrolled"
        return "pending" if self.sha1 in self.enrol else "absent"

    @property
    def others(self):
        return [(self.subjects or {}).get(sha1, sha1) for sha1 in [*self.enrol, *self.delete] if sha1 != self.sha1]


NOTHING = Before()


def plan(before, params, same_password):
    """[Step]

    :param same_password: function of the variable's name: does the waiting request have the password that was given?
    :raises NvidiaError: for what nobody can do, and for what a person has refused before
    """
    if params["timeout"] is not None and not -1 <= params["timeout"] <= LONGEST_TIMEOUT:
        raise NvidiaError(
            f"MokManager's time-out is {params['timeout']}; it can be 0 to {LONGEST_TIMEOUT} seconds, or -1 for ever."
        )
    steps = {"enrolled": _enrolled, "absent": _absent, "cancelled": _cancelled}[params["state"]](
        before, params, same_password
    )
    return [*steps, *_timeout(before, predict(before, steps), params["timeout"])]


def _enrolled(before, params, same_password):
    if before.sha1 in before.delete:
        return [_withdraw(before, "delete")]
    if before.blocked:
        raise NvidiaError(
            "This certificate is revoked: it is on shim's or the firmware's list of what must not be trusted (MokListX,"
            " dbx). Sign with another key; make it with gpufleet.nvidia.mok_key."
        )
    if before.source:
        return []
    stage = Step("stage_enrol", "Ask MokManager to enrol the key at the next boot")
    return _request(before, params, same_password, "enrol", stage)


def _absent(before, params, same_password):
    if before.source is None:
        return [_withdraw(before, "enrol")] if before.sha1 in before.enrol else []
    if before.source == "db":
        raise NvidiaError(
            "This key is in the firmware's own list (db), where MokManager cannot remove it. Remove it in the"
            " firmware's setup menu, with the board's management controller, or from the cloud's image."
        )
    stage = Step("stage_delete", "Ask MokManager to remove the key at the next boot")
    return _request(before, params, same_password, "delete", stage)


def _request(before, params, same_password, action, stage):
    """Stages a request that does not wait yet; again, where one waits with another password."""
    waiting = before.enrol if action == "enrol" else before.delete
    if before.sha1 in waiting:
        if same_password(VARIABLES[action]):
            return []
        return [_withdraw(before, action), Step(stage.kind, f"{stage.says}, with the password that is given now")]
    lost = [row for row in before.requests if row["sha1"] == before.sha1 and row["action"] == action]
    if lost and not params["restage"]:
        raise NvidiaError(_refused(lost[-1], before.boot_id, action))
    return [stage]


def _refused(row, boot_id, action):
    what = "enrol" if action == "enrol" else "remove"
    how = (
        "nobody confirmed it at the console, or somebody refused"
        if row["boot_id"] != boot_id
        else "somebody has withdrawn it (mokutil) since"
    )
    return (
        f"MokManager was asked to {what} this key at {row['time']}, and the request is gone: {how}. It is not made"
        " again by itself. Make sure that somebody, or gpufleet.nvidia.mok_console, is at the console, and say"
        " restage: true."
    )


def _cancelled(before, _params, _same_password):
    if before.sha1 is None:
        return [_withdraw(before, action) for action in VARIABLES if getattr(before, action)]
    return [_withdraw(before, action) for action in VARIABLES if before.sha1 in getattr(before, action)]


def _withdraw(before, action):
    waiting = getattr(before, action)
    what = "enrolment" if action == "enrol" else "removal"
    if before.sha1 is None:
        return Step(f"withdraw_{action}", f"Withdraw the request for the {what} of {len(waiting)} key(s)")
    return Step(f"withdraw_{action}", f"Withdraw the request for the key's {what}")


def _timeout(before, after, wanted):
    """MokManager's patience goes with the requests: it counts once, and must not wait for ever without one."""
    waits = bool(after.enrol or after.delete)
    if not waits:
        return [_patience(DEFAULT_TIMEOUT)] if before.timeout is not None and (before.enrol or before.delete) else []
    have = DEFAULT_TIMEOUT if before.timeout is None else before.timeout
    return [] if wanted is None or wanted == have else [_patience(wanted)]


def _patience(seconds):
    how_long = "for ever" if seconds < 0 else f"{seconds} seconds"
    return Step("timeout", f"Have MokManager wait {how_long} for somebody", seconds)


def predict(before, steps):
    """Before, as it will be after the steps."""
    enrol, delete, patience = list(before.enrol), list(before.delete), before.timeout
    for step in steps:
        if step.kind == "withdraw_enrol":
            enrol = [sha1 for sha1 in enrol if before.sha1 is not None and sha1 != before.sha1]
        elif step.kind == "withdraw_delete":
            delete = [sha1 for sha1 in delete if before.sha1 is not None and sha1 != before.sha1]
        elif step.kind == "stage_enrol":
            enrol = [*enrol, before.sha1]
        elif step.kind == "stage_delete":
            delete = [*delete, before.sha1]
        else:
            patience = None if step.seconds == DEFAULT_TIMEOUT else step.seconds
    return before._replace(enrol=enrol, delete=delete, timeout=patience)


def shown(state):
    """What a difference shows."""
    return {"status": state.status, "timeout": DEFAULT_TIMEOUT if state.timeout is None else state.timeout}


def next_step(before, after, params):
    """What a person is to do now, in a sentence or two."""
    if after.status not in ("pending", "pending_removal"):
        return _nothing_left(before, after, params)
    menu = "Enroll MOK" if after.status == "pending" else "Delete MOK"
    seconds = DEFAULT_TIMEOUT if after.timeout is None else after.timeout
    patience = "it waits for ever" if seconds < 0 else f"for {seconds} seconds"
    text = f"The request waits: {CONSOLE.format(patience, menu)}."
    older = [row for row in before.requests if row["sha1"] == before.sha1 and row["boot_id"] != before.boot_id]
    if older and before.status == after.status:
        text += (
            " It was made before this boot and is still there, so shim did not start MokManager: make the firmware boot"
            " this disk's shim next (efibootmgr --bootnext)."
        )
    return text


def _nothing_left(before, after, params):
    if after.status == "enrolled" and params["state"] == "absent":
        return "The key is still enrolled."
    if after.status == "enrolled":
        return "The key is enrolled: nothing is to be done."
    if before.status != after.status:
        return "The request is withdrawn: nothing is to be done."
    return "The key is not among the owner's keys: nothing is to be done."
