# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key pair that signs kernel modules: made or delivered, followed by another one, and forgotten in time."""

from __future__ import annotations

import time

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _kernel as kernel
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok as mok
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_certificate as certificates
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_key_pair as pairs
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_key_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_modules as modules
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _secure_boot as secure_boot
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mok_key_apply import RETIRED, carry_out
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mok_key_plan import Retired, State
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mok_key_report import report
from ansible_collections.gpufleet.nvidia.plugins.module_utils._rights import is_open, is_readable
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

HOST_NAME = "/proc/sys/kernel/hostname"
LONGEST = 36500  # days


def ensure(params, system, *, apply, now=time.time):
    """The result of the module `mok_key`; see its RETURN."""
    moment = now()
    given = pairs.delivered(params)
    _check_options(params, given)
    before = observe(system, params, certificates.written(moment)[:10])
    if params["state"] == "absent":
        signs = signed_with(system, before.current.certificate)
        steps = decide.plan_absent(before, signs)
    else:
        steps = decide.plan(before, params, given)
        _check(system, params, before, given, steps, moment)
    if apply and steps:
        common_name = params["common_name"] or _common_name(system)
        carry_out(system, params, before, steps, given, common_name)
        after = observe(system, params, before.today)
    else:
        after = before
    return report(params, before, after, steps, predicted=bool(steps) and not apply)


def _check_options(params, given):
    if not 1 <= params["days"] <= LONGEST:
        raise NvidiaError(f"A certificate for {params['days']} days is none; 1 to {LONGEST} are possible.")
    if params["private_key"] == params["certificate"]:
        raise NvidiaError("private_key and certificate name the same file; they are two.")
    if given and (params["rotate"] or params["rotate_before"]):
        raise NvidiaError("A delivered pair is changed by delivering another one, not by rotate or rotate_before.")


def _common_name(system):
    name = (system.read(HOST_NAME) or "").strip() or "localhost"
    return f"{name[:40]} kernel module signing key"


def observe(system, params, today):
    """State"""
    current = pairs.read(system, params["private_key"], params["certificate"])
    following = pairs.read(system, pairs.successor(params["private_key"]), pairs.successor(params["certificate"]))
    facts = secure_boot.observe_firmware(system)
    unfinished = bool(
        current.text and following.certificate and following.text == current.text and current.certificate
    ) and (following.certificate.sha1 != current.certificate.sha1)
    return State(
        current=current,
        next=following,
        retired=observe_retired(system),
        enrolled=_listed(system, "MokListRT", "db"),
        listed=_listed(system, "MokListRT", "MokNew"),
        trusting=facts["firmware"] == "uefi" and facts["enforced"] is not False,
        unfinished=unfinished,
        open_key=is_readable(system.stat(params["private_key"])),
        today=today,
        open_certificate=is_open(system.stat(params["certificate"])),
    )


def _listed(system, *names):
    return {row["sha1"] for name in names for row in mok.listed(system, name, name) or []}


def observe_retired(system):
    """[Retired], oldest first; what modules they have signed is read only where there are any."""
    found = []
    names = system.entries(RETIRED)
    for name in names:
        pair = pairs.read(system, f"{RETIRED}/{name[:-4]}.key", f"{RETIRED}/{name}") if name.endswith(".der") else None
        if pair:
            found.append(pair)
    rows = _modules(system) if found else []
    return [
        Retired(
            pair.file.rsplit("/", 1)[-1][:-4],
            pair.certificate.sha1,
            pair.certificate.subject,
            None if pair.text is None else pair.key,
            pair.file,
            _signed(rows, pair.certificate),
        )
        for pair in found
    ]


def _modules(system):
    kernels = kernel.observe(system)
    releases = {kernels["running"], kernels["next"], *(row["release"] for row in kernels["installed"])}
    return [row for release in sorted(filter(None, releases)) for row in modules.observe(system, release, True)]


def _signed(rows, certificate):
    who = certificate._asdict()
    return [row["file"] for row in rows if row["signed"] and modules.signed_by(row, who)]


def signed_with(system, certificate):
    """Paths of the installed NVIDIA modules that a certificate's key has signed."""
    return _signed(_modules(system), certificate) if certificate else []


def _check(system, params, state, given, steps, moment):
    """Refuses pairs that do not belong together, and certificates that are no good, before anything is written."""
    if given:
        text, found = given
        where = pairs.Pair("private_key_content", text, found, "certificate_content")
        pairs.check(system, where)
        _suitable(system, found, moment, "Deliver another one")
    if state.current.text is None or state.unfinished:
        return
    if state.current.certificate is None:
        pairs.public_half(system, state.current.text, state.current.key)
        return
    pairs.check(system, state.current)
    leaving = any(step.kind in ("promote", "deliver", "make") for step in steps) or state.next.certificate
    if not leaving and state.current.certificate.sha1 not in state.enrolled:
        _suitable(system, state.current.certificate, moment, "Have another pair made with rotate: true")
    if state.next.certificate and not any(step.kind in ("retire_next", "clear") for step in steps):
        pairs.check(system, state.next)


def _suitable(system, found, moment, advice):
    # What this kernel asks for besides is the business of the enrolment.
    reason = certificates.refusal(found, moment, None, set())
    if reason:
        raise NvidiaError(f"{reason} {advice}.")
