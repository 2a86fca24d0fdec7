# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this host can take a request for MokManager at all; each reason against it is a sentence."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi

MOUNTS = "/proc/mounts"
HEADERS = 512  # bytes of a variable store for the names and heads of two variables, and to spare


def parse_mounts(text, place):
    """The options of what is mounted on a place, as a set; None: nothing is."""
    rows = [line.split() for line in (text or "").splitlines()]
    found = [row[3].split(",") for row in rows if len(row) > 3 and row[1] == place]
    return set(found[-1]) if found else None


def parse_space(text):
    """Free bytes of ``stat -f --format '%b %a %S'``; None: an older kernel, or the firmware, does not tell."""
    words = (text or "").split()
    if len(words) != 3 or not all(word.isdigit() for word in words):
        return None
    blocks, free, size = (int(word) for word in words)
    return free * size if blocks else None


def observe(system):
    """``{mounted, writable, space}``"""
    options = parse_mounts(system.read(MOUNTS), efi.EFIVARS)
    answer = system.run(["stat", "--file-system", "--format", "%b %a %S", efi.EFIVARS])
    return {
        "mounted": options is not None,
        "writable": options is not None and "ro" not in options,
        "space": parse_space(answer.out) if answer.rc == 0 else None,
    }


def needed(certificate_size, waiting_size):
    """Bytes of the variable store: the request with those that wait already, and what MokManager makes of it."""
    return 2 * (certificate_size + efi.LIST.size + efi.OWNER) + waiting_size + HEADERS


def refusal(facts, store, need):
    """
    :param facts: of _secure_boot.observe_firmware; :param store: what *observe* gave; :param need: bytes
    """
    if facts["firmware"] != "uefi":
        return (
            "This host has no EFI firmware (or a container hides it), so there is no MokManager that could enrol a key,"
            " and Secure Boot asks for none. Leave this host out."
        )
    if not store["mounted"]:
        return (
            f"EFI variables are not there: nothing is mounted on {efi.EFIVARS}. Mount it"
            f" (mount -t efivarfs efivarfs {efi.EFIVARS}), on the host itself and not in a container."
        )
    if facts["secure_boot"] in ("unsupported", "unknown"):
        return (
            "The firmware of this host knows no Secure Boot (it has no variable SecureBoot), so keys are neither"
            " enrolled nor needed. Leave this host out, or update its firmware."
        )
    if not store["writable"]:
        return (
            f"EFI variables cannot be written: {efi.EFIVARS} is mounted read-only. Mount it writable for the request:"
            f" mount -o remount,rw {efi.EFIVARS}."
        )
    if not facts["shim"]:
        return (
            "This host did not boot through shim, which brings MokManager: a request would wait for ever. Boot through"
            " shim, or put the certificate into the firmware's db (its setup menu, the board's management controller,"
            " or the cloud's image)."
        )
    if facts["mokutil"] is None:
        return "Requests are made by mokutil, which is not installed. Install the package mokutil."
    if store["space"] is not None and store["space"] < need:
        return (
            f"The firmware's variable store is full: {store['space']} bytes are free and the request needs {need}."
            " Remove variables that nobody needs (old boot entries with efibootmgr -B, crash dumps in /sys/fs/pstore),"
            " reboot once, and try again."
        )
    return None
