# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that the kernel holds, from /proc/keys, and the keyring that each of them lies in."""

from __future__ import annotations

import re

PROC_KEYS = "/proc/keys"
LINE = re.compile(r"^[0-9a-f]{8} \S+ +\d+ +\S+ ([0-9a-f]{8}) +\S+ +\S+ (\S+) +(.*)$", flags=re.M)
KEYRING = re.compile(r"(\.\w+(?:[.-]\w+)*): (\d+|empty)")
# <name>: <subject key identifier, or the serial number where there is none>: X509.<algorithm> <its end> [<flags>]
CERTIFICATE = re.compile(r"(.*): ([0-9a-f]+): X509\.\S+ ([0-9a-f]*) ?\[.*\]")
BUILTIN, SECONDARY, MACHINE, PLATFORM = ".builtin_trusted_keys", ".secondary_trusted_keys", ".machine", ".platform"
REGULATORY = ".builtin_regdb_keys"  # of the wireless regulations; its keys have no identifier and sign no module
# What the kernel was built with may be read by its owner, what it took from the firmware may only be seen.
FROM_THE_BUILD, FROM_THE_FIRMWARE = "1f030000", "1f010000"


def parse(text):
    """``({keyring: number of keys}, [{description, id, permissions, short}])`` of /proc/keys, each key once."""
    counts: dict[str, int] = {}
    keys: dict[tuple, dict] = {}
    for permissions, kind, rest in LINE.findall(text or ""):
        ring = KEYRING.fullmatch(rest) if kind == "keyring" else None
        if ring:
            counts[ring[1]] = 0 if ring[2] == "empty" else int(ring[2])
        found = CERTIFICATE.fullmatch(rest) if kind == "asymmetri" else None
        if found:
            row = {"description": found[1], "id": found[2], "permissions": permissions, "short": found[3]}
            keys.setdefault((found[1], found[2]), row)
    return counts, list(keys.values())


def same_id(key, certificate):
    """Whether a key of the kernel is this certificate's: the kernel keeps the sign byte of a serial number."""
    wanted = certificate["ski"] or certificate["serial"]
    return key["id"].lstrip("0") == wanted.lstrip("0")


def place(counts, keys, owner_keys, firmware_keys):
    """``{builtin, secondary, machine, platform}``, each a list of ``{description, id}``; None: /proc/keys hides them.

    The file does not say which keyring a key is in, so that is concluded from where the kernel takes it.

    :param owner_keys: certificates of MokListRT, as dictionaries; :param firmware_keys: those of db
    """
    if BUILTIN not in counts:
        return None
    from_shim = [key for key in keys if any(same_id(key, row) for row in owner_keys)]
    machine, left = from_shim, []
    if counts.get(MACHINE, 0) < len(from_shim):  # kernels that take only authorities, and those without this keyring
        authorities = [key for key in from_shim if any(same_id(key, row) and row["is_ca"] for row in owner_keys)]
        machine = authorities[: counts.get(MACHINE, 0)]
        left = [key for key in from_shim if key not in machine]
    from_db = [key for key in keys if any(same_id(key, row) for row in firmware_keys)]
    others = [key for key in keys if key not in from_shim and key not in from_db and not _regulatory(key, counts)]
    strangers = [key for key in others if key["permissions"] == FROM_THE_FIRMWARE]
    own_links = 1 + bool(counts.get(MACHINE))  # the secondary keyring has the builtin one and the machine's in it
    added = [key for key in others if key["permissions"] not in (FROM_THE_BUILD, FROM_THE_FIRMWARE)]
    rings = {
        "builtin": [key for key in others if key["permissions"] == FROM_THE_BUILD],
        "secondary": added if counts.get(SECONDARY, 0) > own_links else [],
        "machine": machine,
        "platform": [*left, *(key for key in from_db if key not in left), *strangers],
    }
    return {
        name: [{"description": key["description"], "id": key["id"]} for key in ring] for name, ring in rings.items()
    }


def _regulatory(key, counts):
    return REGULATORY in counts and not key["short"]


def holding(rings, certificate):
    """Whether the kernel has a certificate; None: its keyrings are hidden."""
    if rings is None:
        return None
    return any(same_id(key, certificate) for ring in rings.values() for key in ring)


def observe(system, owner_keys, firmware_keys):
    counts, keys = parse(system.read(PROC_KEYS))
    return place(counts, keys, owner_keys, firmware_keys)
