# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mokutil writes, of 0.6 and 0.7; its exit codes mean different things in different versions, so none is asked."""

from __future__ import annotations

import re

FINGERPRINT = re.compile(r"^SHA1 Fingerprint:\s*([0-9A-Fa-f:]{59})\s*$", flags=re.M)
SHORT = re.compile(r"^([0-9a-f]{10}) (.*)$", flags=re.M)
# The answers of --test-key and --import, the first that is found counts.
ANSWERS = (
    ("is already in the enrollment request", "pending"),
    ("is already in the deletion request", "pending"),
    ("is already in the built-in trusted keyring", "builtin"),
    ("is already in db", "db"),
    ("is already in the platform", "db"),
    ("is blocked", "blocked"),
    ("is already enrolled", "enrolled"),
    ("is not enrolled", "absent"),
)
COMPLAINTS = (
    (
        "EFI variables are not supported on this system",
        "mokutil cannot reach EFI variables: this host has no EFI firmware, or efivarfs is not mounted on"
        " /sys/firmware/efi/efivars. Mount it, or enrol the key where the machine's firmware is configured.",
    ),
    (
        "This system doesn't support Secure Boot",
        "The firmware of this host knows no Secure Boot, so there is no list of keys to enrol one in.",
    ),
    (
        "is not a valid x509 certificate in DER format",
        "mokutil takes certificates in DER alone, and this one is not. Convert it: openssl x509 -outform der.",
    ),
    (
        "Permission denied",
        "mokutil may not write EFI variables. Run as root (become: true).",
    ),
    (
        "No space left on device",
        "The firmware's variable store is full, so no request can be put into it. Remove variables that nobody needs"
        " (old boot entries with efibootmgr -B, crash dumps in /sys/fs/pstore), reboot once, and try again.",
    ),
    (
        "Failed to write",
        "The firmware refused the request. Its variable store may be full or locked: look at the kernel's log.",
    ),
)


def parse_keys(text):
    """SHA-1 fingerprints of ``--list-enrolled``, ``--list-new`` and ``--list-delete``, small without colons.

    Of ``--short`` the ten digits that there are.
    """
    found = [digits.replace(":", "").lower() for digits in FINGERPRINT.findall(text or "")]
    return found or [digits for digits, _name in SHORT.findall(text or "")]


def parse_test(text):
    """enrolled, pending, db, builtin, blocked or absent, of what ``--test-key`` says; None: none of its sentences."""
    return next((answer for words, answer in ANSWERS if words in (text or "")), None)


def explain(text):
    """What a complaint of mokutil means and what to do, or None for one that is not known."""
    return next((sentence for words, sentence in COMPLAINTS if words in (text or "")), None)
