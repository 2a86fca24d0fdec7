# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EFI variables as the kernel shows them, and the lists of certificates within them; no program is asked."""

from __future__ import annotations

import struct
import uuid

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

EFI = "/sys/firmware/efi"
EFIVARS = f"{EFI}/efivars"
# What shim handed to the kernel in memory: whole, where the copies among the variables may be cut in parts.
MOK_VARIABLES = f"{EFI}/mok-variables"
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
IMAGE_SECURITY = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
SHIM = "605dab50-e046-4300-abb6-3dd810dd8b23"
VENDORS = {"db": IMAGE_SECURITY, "dbx": IMAGE_SECURITY, "SecureBoot": GLOBAL, "SetupMode": GLOBAL}
MIRRORED = ("MokListRT", "MokListXRT", "MokListTrustedRT", "SbatLevelRT", "MokSBStateRT")
PARTS = 16  # shim numbers the parts of a list that is too long for one variable: MokListRT, MokListRT1, …
ATTRIBUTES = 4
X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072").bytes_le
LIST = struct.Struct("<16sIII")  # EFI_SIGNATURE_LIST: type, size of the list, of its header, of each signature
OWNER = 16


def path(name):
    """Where a variable lies."""
    return f"{EFIVARS}/{name}-{VENDORS.get(name, SHIM)}"


def value(system, name):
    """A variable's bytes without the attributes, None: there is none, or it cannot be read."""
    data = system.read_bytes(path(name))
    return None if data is None or len(data) < ATTRIBUTES else data[ATTRIBUTES:]


def there(system, name):
    """Whether a variable exists, which a look at the folder tells also where it cannot be read."""
    return system.exists(path(name)) or system.exists(f"{MOK_VARIABLES}/{name}")


def mirrored(system, name):
    """A variable of shim's as it was at the last boot, or None."""
    data = system.read_bytes(f"{MOK_VARIABLES}/{name}")
    if data is not None:
        return data
    first = value(system, name)
    if first is None:
        return None
    parts = (value(system, f"{name}{number}") for number in range(1, PARTS))
    return first + b"".join(part for part in parts if part)


def parse_signature_lists(data):
    """``[(type, signature)]`` of one or more EFI_SIGNATURE_LISTs; a damaged end is left out.

    type: 16 bytes as they stand; signature: bytes without the owner
    """
    rows, at = [], 0
    while at + LIST.size <= len(data):
        kind, size, header, each = LIST.unpack_from(data, at)
        if size < LIST.size + header or each <= OWNER or at + size > len(data):
            break
        start, end = at + LIST.size + header, at + size
        rows += [(kind, data[place + OWNER : place + each]) for place in range(start, end - each + 1, each)]
        at = end
    return rows


def certificates(data):
    """The certificates of a variable's signature lists, in their order; what cannot be read as one is left out."""
    from ansible_collections.gpufleet.nvidia.plugins.module_utils import _certificate as certificate  # seldom needed

    found = []
    for kind, signature in parse_signature_lists(data or b""):
        if kind == X509:
            try:
                found.append(certificate.read(signature))
            except NvidiaError:
                continue
    return found


def parse_number(data):
    """A number with a sign, of two or four bytes (MokTimeout), or None."""
    return int.from_bytes(data, "little", signed=True) if data and len(data) in (1, 2, 4, 8) else None


def is_set(data):
    """Whether a variable of one byte says yes; None: there is none."""
    return None if not data else data[:1] == b"\x01"
