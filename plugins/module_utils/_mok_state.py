# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secure Boot and NVIDIA's modules as one state, with the next step as a sentence."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_requests as requests
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mok_modules import signed_by

STATES = (
    "disabled",
    "trusted",
    "unsigned",
    "key_not_staged",
    "key_pending",
    "key_dismissed",
    "no_firmware_support",
    "no_module",
)
CONSOLE = (
    "at its next boot MokManager asks at the console, for ten seconds if no time-out was set, and an unanswered request"
    " is lost. Reboot with gpufleet.nvidia.mok_console, or confirm by hand"
)


def relevant(rows, following, running):
    """The modules that count: of the kernel that boots next, else of the one that runs, else of any."""
    for release in (following, running):
        chosen = [row for row in rows if row["kernel"] == release]
        if chosen:
            return chosen
    return rows


def decide(facts, rows, boot_id):
    """``(state, next step)`` of a host whose kernel asks for signatures.

    :param facts: what _mok.observe has gathered; :param rows: the modules that count
    """
    if not rows:
        return "no_module", (
            "The kernel loads signed modules only, and no NVIDIA module lies on the disk. Install the driver; modules"
            " that its distribution has signed need no key, for others enrol one before."
        )
    kernel = rows[0]["kernel"]
    if facts["firmware"] != "uefi" and not all(row["trusted"] for row in rows):
        return "no_firmware_support", (
            "The kernel loads signed modules only, and this host has no EFI firmware that could hold a key for them."
            " Take lockdown= and module.sig_enforce off the kernel's command line, or install modules that the"
            " distribution has signed."
        )
    unsigned = [row["name"] for row in rows if row["signed"] is False]
    if unsigned:
        return "unsigned", (
            f"The kernel loads signed modules only, and of {kernel} these have no signature: {', '.join(unsigned)}."
            " Sign them with gpufleet.nvidia.module_signature, and give DKMS the same key for the next build."
        )
    doubtful = [row for row in rows if not row["trusted"]]
    if not doubtful:
        return "trusted", _trusted(facts, rows)
    unknown = [row["name"] for row in doubtful if row["trusted"] is None]
    if unknown:
        return None, (
            f"Whether the kernel {kernel} trusts the signer of {', '.join(unknown)} cannot be told: the module or the"
            " lists of keys are unreadable. Run as root (become: true); build a damaged module again."
        )
    return _waiting(facts, doubtful, boot_id)


def _trusted(facts, rows):
    leaving = [
        row for row in (facts["pending"] or {}).get("delete") or [] if any(signed_by(each, row) for each in rows)
    ]
    if leaving:
        return (
            f"The kernel trusts the modules today, but the removal of their key {leaving[0]['subject']} waits for"
            " MokManager: once it is confirmed they do not load any more. Sign them with another enrolled key, or"
            " cancel the removal (mokutil --revoke-delete), before the next boot."
        )
    return f"The kernel trusts the signer of each NVIDIA module of {rows[0]['kernel']}: nothing is to be done."


def _waiting(facts, rows, boot_id):
    """For modules whose key the kernel does not have: is it asked for, was it, or is it still to be?"""
    row = next((row for row in rows if row["trusted_by"] != "pending"), rows[0])
    if row["trusted_by"] == "pending":
        return "key_pending", _pending(facts, row, boot_id)
    enrolled = next((key for key in facts["enrolled"] or [] if signed_by(row, key)), None)
    if enrolled:
        return "key_not_staged", (
            f"The key {_called(enrolled)} is in the firmware's lists, but the running kernel has not taken it: it came"
            " after this boot, or it is revoked (dbx, MokListX). Reboot; if it stays so, sign the modules with another"
            " key."
        )
    if facts["requests"] is None or (facts["pending"] or {}).get("enrol") is None:
        return None, (
            f"The kernel does not know the signer of {row['name']}, {row['signer']}; whether its enrolment waits"
            " already only root may read. Run as root (become: true)."
        )
    return _asked_for(facts, row, boot_id)


def _pending(facts, row, boot_id):
    key = next(key for key in facts["pending"]["enrol"] if signed_by(row, key))
    older = [one for one in facts["requests"] or [] if one["sha1"] == key["sha1"] and one["boot_id"] != boot_id]
    survived = (
        " The request was made before this boot and is still there, so shim did not start MokManager: make the firmware"
        " boot this disk's shim next (efibootmgr --bootnext)."
    )
    return (
        f"The key {_called(key)}, which signed the modules, waits for its confirmation: {CONSOLE}."
        f"{survived if older else ''}"
    )


def _asked_for(facts, row, boot_id):
    own = next((key for key in facts["certificates"] or [] if signed_by(row, key)), None)
    done = {key["sha1"] for key in facts["enrolled"] or []}
    gone = [one for one in requests.dismissed(facts["requests"], boot_id, done, set()) if one["action"] == "enrol"]
    lost = [one for one in gone if one["serial"] == row["serial"] or (own and own["sha1"] == one["sha1"])]
    who = f"{row['signer']} (serial {row['serial']})" if row["serial"] else f"the key {row['key_id']}"
    where = f" with the certificate {own['path']}" if own else " with the certificate of that key"
    if lost:
        return "key_dismissed", (
            f"The modules are signed by {who}; its enrolment was asked for at {lost[-1]['time']} and is gone: nobody"
            " confirmed it at the console, or somebody refused. Make sure that somebody or mok_console is there, then"
            f" ask again: gpufleet.nvidia.mok{where} and restage: true."
        )
    if not facts["shim"]:
        return "key_not_staged", (
            f"The modules are signed by {who}, which neither the kernel nor the firmware knows. This host did not boot"
            " through shim, so no MokManager will ask: put the key's certificate into the firmware's db (its setup"
            " menu, the board's management controller, or the cloud's image)."
        )
    return "key_not_staged", (
        f"The modules are signed by {who}, which neither the kernel nor the firmware knows, and nobody has asked for"
        f" it: use gpufleet.nvidia.mok{where}; {CONSOLE}."
    )


def _called(key):
    return f"{key['subject']} (SHA-1 {key['sha1'][:10]})"
