# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public key of a package repository: it counts only when its fingerprint is the one that was named.

The fingerprint is computed from the key's own packets (RFC 4880, chapter 12.2): no gpg is needed on the host.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._rights import ROOT
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

PUBLIC_KEY = 6  # the packet tag of a primary key; subkeys have another one
ARMOUR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*\n(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL | re.ASCII
)

RIGHTS = (0o644, *ROOT)  # apt reads it as a user of its own

# kind: write | own | remove; says: a sentence; text: what the file will hold, None where it must be fetched first
Step = namedtuple("Step", "kind says text")


def dearmour(text):
    """The bytes of all armoured blocks in a text; empty where there is none, or it is damaged."""
    data = b""
    for block in ARMOUR.findall(text):
        lines = [line.strip() for line in block.splitlines()]
        body = lines[lines.index("") + 1 :] if "" in lines else lines
        try:
            data += base64.b64decode("".join(line for line in body if not line.startswith("=")), validate=True)
        except (binascii.Error, ValueError):
            return b""
    return data


def packets(data):
    """[(tag, body)] of OpenPGP packets; ends where the data are no packets."""
    found, place = [], 0
    while place < len(data):
        head = data[place]
        if not head & 0x80:
            break
        tag, length, place = _length(data, place, head)
        if length is None or place + length > len(data):
            break
        found.append((tag, data[place : place + length]))
        place += length
    return found


def _length(data, place, head):
    """(tag, length or None, place of the body) of the packet whose first byte is *head*."""
    if not head & 0x40:  # the old format: the length of the length is in the first byte
        size = {0: 1, 1: 2, 2: 4}.get(head & 3)
        tag, start = head >> 2 & 15, place + 1
        if size is None or start + size > len(data):
            return tag, None, start
        return tag, int.from_bytes(data[start : start + size], "big"), start + size
    tag, start = head & 63, place + 1
    first = data[start] if start < len(data) else 224
    if first < 192:
        return tag, first, start + 1
    if first < 224:
        second = data[start + 1] if start + 1 < len(data) else 0
        return tag, (first - 192 << 8) + second + 192, start + 2
    if first == 255 and start + 5 <= len(data):
        return tag, int.from_bytes(data[start + 1 : start + 5], "big"), start + 5
    return tag, None, start


def fingerprints(text):
    """Fingerprints of the primary keys (version 4) in an armoured text, 40 capital digits each."""
    return [
        hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest().upper()
        for tag, body in packets(dearmour(text))
        if tag == PUBLIC_KEY and body[:1] == b"\x04" and len(body) < 65536
    ]


def normal(fingerprint):
    """A fingerprint without blanks, in capitals.

    :raises NvidiaError: when it is none
    """
    text = re.sub(r"[\s:]", "", fingerprint or "").upper()
    if not re.fullmatch(r"[0-9A-F]{40}", text):
        raise NvidiaError(f"{fingerprint!r} is no fingerprint of a key: it has 40 digits of 0-9 and A-F.")
    return text


def verify(text, fingerprint, where):
    """Raises NvidiaError unless the text holds the key with that fingerprint, and no other one."""
    found = fingerprints(text or "")
    if found == [fingerprint]:
        return
    seen = f"has {', '.join(found)}" if found else "holds no public key in ASCII armour"
    raise NvidiaError(
        f"The repository's key from {where} {seen}, not {fingerprint}. Nothing was changed. Check with the publisher"
        " which key is right, then correct the address or the fingerprint."
    )


def plan(have, params, fingerprint, rights=RIGHTS):
    """[Step] that make the file hold the key.

    :param have: its text or None; :param rights: its mode, user and group
    """
    path = params["path"]
    if params["state"] == "absent":
        return [] if have is None else [Step("remove", f"Remove the key {path}", None)]
    if have is not None and fingerprints(have) == [fingerprint]:
        is_ours = rights is None or tuple(rights) == RIGHTS
        return [] if is_ours else [Step("own", f"Set owner and mode of {path}", have)]
    return [Step("write", f"Put the key {fingerprint} into {path}", params["content"])]


def shown(rights):
    """Mode and owner, for the difference."""
    return {"mode": f"{rights[0]:04o}", "owner": f"{rights[1]}:{rights[2]}"} if rights else {}


def ensure(params, system, fetch, *, apply):
    """The result of the module `repository_key`; see its RETURN.

    :param fetch: gives the text at an address, or raises NvidiaError
    """
    present = params["state"] == "present"
    fingerprint = normal(params["fingerprint"]) if present else None
    if present and bool(params["url"]) == bool(params["content"]):
        raise NvidiaError("A key comes either from url or as content: give one of the two.")
    have = system.read(params["path"])
    rights = system.stat(params["path"])
    steps = plan(have, params, fingerprint, rights)
    for step in steps if apply else []:
        if step.kind == "remove":
            system.remove(params["path"])
        else:
            text = fetch(params["url"]) if step.text is None else step.text
            verify(text, fingerprint, params["url"] or "content")
            system.write(params["path"], text, RIGHTS[0])
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "fingerprint": fingerprint,
        "diff": {
            "before": {"path": params["path"], "keys": fingerprints(have or ""), **shown(rights)},
            "after": {"path": params["path"], "keys": [fingerprint] if present else [], **shown(present and RIGHTS)},
        },
    }
