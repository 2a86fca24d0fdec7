# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes and withdraws requests with mokutil, whose exit codes mean nothing: the variables are looked at afterwards."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_password as passwords
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mokutil as mokutil
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mok_request_plan import DEFAULT_TIMEOUT
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

FOLDER = "/run/gpufleet-mok"  # in memory, for root alone
CERTIFICATE, HASH = f"{FOLDER}/certificate.der", f"{FOLDER}/hash"
VERBS = {"stage_enrol": "--import", "stage_delete": "--delete"}
NAMES = {"enrol": ("MokNew", "MokAuth"), "delete": ("MokDel", "MokDelAuth")}
REVOKE = {"enrol": "--revoke-import", "delete": "--revoke-delete"}
REVERSE = {"enrol": "--delete", "delete": "--import"}  # mokutil takes one key out of a request by the opposite request


def carry_out(system, params, key, steps):
    """:raises NvidiaError: when the variables are not what they should be afterwards"""
    if not steps:
        return
    system.folder(FOLDER, mode=0o700)
    try:
        if key.der is not None:
            system.write(CERTIFICATE, key.der, mode=0o600)
        for step in steps:
            verb, _underscore, action = step.kind.partition("_")
            if verb == "stage":
                _stage(system, params["password"], key, step.kind, action)
            elif verb == "withdraw":
                _withdraw(system, key, action)
            else:
                _timeout(system, step.seconds)
    finally:
        system.remove(HASH)
        system.remove(CERTIFICATE)


def waiting(system, action):
    """SHA-1 of the keys in a request."""
    return [found.sha1 for found in efi.certificates(efi.value(system, NAMES[action][0]))]


def _run(system, *words):
    """mokutil's words; nothing is asked of a terminal, as there is none."""
    answer = system.run(["mokutil", *words], timeout=60)
    return "\n".join(part.strip() for part in (answer.out, answer.err) if part.strip())


def _stage(system, password, key, kind, action):
    # Written without a line's end: older mokutil takes it for a part of the hash.
    system.write(HASH, passwords.crypted(system, password), mode=0o600)
    # A key that the kernel has already, by whatever way, is not skipped.
    said = _run(system, "--ignore-keyring", VERBS[kind], CERTIFICATE, "--hash-file", HASH)
    auth = passwords.parse_auth(efi.value(system, NAMES[action][1]))
    if key.sha1 not in waiting(system, action) or not passwords.confirms(system, auth, password):
        raise NvidiaError(_failed("made", said))


def _withdraw(system, key, action):
    alone = key.sha1 is None or waiting(system, action) == [key.sha1]
    said = _run(system, REVOKE[action]) if alone else _run(system, "--ignore-keyring", REVERSE[action], CERTIFICATE)
    left = waiting(system, action)
    if key.sha1 in left or (key.sha1 is None and left):
        raise NvidiaError(_failed("withdrawn", said))


def _timeout(system, seconds):
    said = _run(system, "--timeout", str(seconds))
    have = efi.parse_number(efi.value(system, "MokTimeout"))
    if have != (None if seconds == DEFAULT_TIMEOUT else seconds):
        raise NvidiaError(f"MokManager's time-out could not be set to {seconds}. {mokutil.explain(said) or said}")


def _failed(deed, said):
    reason = mokutil.explain(said) or (f"mokutil says: {said}" if said else "mokutil says nothing of it")
    return f"The request could not be {deed}: the firmware's variables have not changed as they should. {reason}"
