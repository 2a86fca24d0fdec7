# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done about the key pair that signs modules: the decisions, without the machine.

A new pair never takes the place of one that the firmware trusts before it is trusted itself: until then it waits beside
it as its successor, so that a module that is built in between still loads.
"""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# kind: make | certify | deliver | promote | retire_next | clear | restrict | restrict_certificate | forget_key |
# forget_certificate | remove
Step = namedtuple("Step", "kind says retired", defaults=[None])

State = namedtuple(
    "State",
    "current next retired enrolled listed trusting unfinished open_key today open_certificate",
    defaults=[False],
)
State.__doc__ = """current, next: Pair; retired: [Retired]; enrolled: SHA-1 of what shim or the firmware's db has;
listed: of what is, or waits to be, in shim's list; trusting: whether the kernel asks for signatures; unfinished: the
successor's key is in place, its certificate not yet; open_key: others than root may read the private key; today:
``2026-11-21``; open_certificate: others than root may write the certificate."""

Retired = namedtuple("Retired", "name sha1 subject key certificate signs")
Retired.__doc__ = "key, certificate: paths (key None: removed already); signs: paths of modules that it has signed."


def plan(state, params, given):
    """[Step] for state=present

    :param given: (private key, Certificate) that is delivered, or None
    :raises NvidiaError: where going on would lose a key
    """
    steps, sha1 = [], given[1].sha1 if given else None
    if state.unfinished:
        return [_promote(state), *forgetting(state)]
    there = getattr(state.current.certificate, "sha1", None)
    if there and state.current.text is None and there != sha1:
        raise NvidiaError(
            f"The certificate {state.current.file} is here and its private key {state.current.key} is not. Put the key"
            " back (from the vault or a backup), or move the certificate away to have a new pair made."
        )
    if state.current.text is None:
        steps.append(_new(state, sha1, "make"))
    elif there is None and given:
        if given[0] != state.current.text:
            raise NvidiaError(
                f"{state.current.key} is another private key than the delivered one, and has no certificate. Move it"
                " away to have the delivered pair put there."
            )
        steps.append(_new(state, sha1, "make"))
    elif there is None:
        steps.append(Step("certify", f"Make a certificate for the private key {state.current.key}"))
    if state.current.text is not None and state.open_key:
        steps.append(Step("restrict", f"Take {state.current.key} away from everybody but root (mode 0600)"))
    if there and state.open_certificate:
        steps.append(Step("restrict_certificate", f"Let root alone write {state.current.file}"))
    if there and state.current.text is not None:
        steps += _succession(state, params, sha1)
    return [*steps, *forgetting(state)]


def _new(state, sha1, kind):
    where = state.current.key if kind == "make" else state.next.key
    if sha1:
        return Step("deliver", f"Put the delivered key pair ({sha1[:10]}) at {where}")
    return Step("make", f"Make a key pair for signing kernel modules, {where}")


def _succession(state, params, sha1):
    """A pair that is there, and what is to follow it."""
    steps, waiting = [], state.next.certificate
    if leftover(state):
        steps.append(Step("clear", f"Remove {state.next.key}, left over from an interrupted run"))
        waiting = None
    if sha1 and waiting and waiting.sha1 != sha1:
        steps.append(Step("retire_next", f"Put the waiting successor ({waiting.sha1[:10]}) aside"))
        waiting = None
    wanted = sha1 != state.current.certificate.sha1 if sha1 else _is_old(state, params, waiting)
    if waiting is None and wanted:
        steps.append(_new(state, sha1, "next"))
    if (wanted or waiting) and (not holds(state) or (waiting and waiting.sha1 in state.enrolled)):
        steps.append(_promote(state))
    return steps


def leftover(state):
    """Whether what lies at the successor's place is a half, or the pair that is in place already."""
    text, found = state.next.text, state.next.certificate
    return bool(text or found) and (not text or not found or found.sha1 == state.current.certificate.sha1)


def _is_old(state, params, waiting):
    before = params["rotate_before"]
    if before is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", before):
        raise NvidiaError(f"rotate_before is {before!r}; it is a day, such as '2026-11-21'.")
    if before is not None and before > state.today:
        raise NvidiaError(f"rotate_before, {before}, lies ahead of today, {state.today}: every pair would be too old.")
    if waiting:
        return False
    return params["rotate"] or (before is not None and state.current.certificate.not_before[:10] < before)


def holds(state):
    """Whether the pair in place is trusted where that matters, so that its successor has to be trusted first."""
    return state.trusting and state.current.certificate.sha1 in state.enrolled


def _promote(state):
    return Step("promote", f"Put the new pair in the place of the old one, {state.current.key}, which is kept aside")


def forgetting(state):
    """What nobody needs any more of the pairs aside: the key when it has signed nothing, then the certificate."""
    steps = []
    for old in state.retired:
        if old.signs:
            continue
        if old.key:
            steps.append(Step("forget_key", f"Remove the old private key {old.key}, with which nothing is signed", old))
        if old.sha1 not in state.listed:
            steps.append(Step("forget_certificate", f"Remove the old certificate {old.certificate}", old))
    return steps


def plan_absent(state, signs):
    """[Step] for state=absent; :param signs: modules that the pair has signed"""
    if signs:
        raise NvidiaError(
            f"The key pair {state.current.key} has signed {len(signs)} installed module(s) ({signs[0]}, …). Sign them"
            " with another key (gpufleet.nvidia.module_signature) or remove the driver first."
        )
    there = [
        path
        for pair in (state.current, state.next)
        for path, content in ((pair.key, pair.text), (pair.file, pair.certificate))
        if content
    ]
    steps = [Step("remove", f"Remove {', '.join(there)}")] if there else []
    return [*steps, *forgetting(state)]
