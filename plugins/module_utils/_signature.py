# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who signed a kernel module: the trailer behind it, and the signer within its PKCS#7 (RFC 5652) message."""

from __future__ import annotations

import struct

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _certificate as certificate
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _der as der
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _module_file as module_file

TRAILER = struct.Struct(">BBBBBxxxI")  # the kernel's include/linux/module_signature.h
PKCS7 = 2
SIGNED_DATA = "1.2.840.113549.1.7.2"
HASHES = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.8": "sha3-256",
    "2.16.840.1.101.3.4.2.9": "sha3-384",
    "2.16.840.1.101.3.4.2.10": "sha3-512",
}
UNSIGNED = {"signed": False, "signer": None, "serial": None, "hash": None, "key_id": None}
UNREADABLE = {**UNSIGNED, "signed": True}


def split(data):
    """(module, signature message, id_type) of a module's bytes; (data, None, None): nothing is appended."""
    if not data.endswith(module_file.MAGIC):
        return data, None, None
    end = len(data) - len(module_file.MAGIC) - TRAILER.size
    if end < 0:
        return data, None, None
    _algorithm, _hash, kind, _signer, _key, length = TRAILER.unpack_from(data, end)
    if length > end:
        return data, None, None
    return data[: end - length], data[end - length : end], kind


def parse(data):
    """What the signature behind a module says: see *read*, without the version."""
    _module, message, kind = split(data)
    if message is None:
        return dict(UNREADABLE if data.endswith(module_file.MAGIC) else UNSIGNED)
    if kind != PKCS7:
        return dict(UNREADABLE)
    try:
        return _signer(message)
    except der.DerError:
        return dict(UNREADABLE)


def _signer(message):
    content = der.inside(der.one(message), der.SEQUENCE)
    if der.oid(der.pick(content, 0)) != SIGNED_DATA:
        raise der.DerError("it is no signed data")
    signed = der.pick(der.inside(der.pick(content, 1)), 0)
    signers = der.inside(signed, der.SEQUENCE)[-1:]
    first = der.inside(der.pick(der.inside(der.pick(signers, 0), der.SET), 0), der.SEQUENCE)
    who, algorithm = der.pick(first, 1), der.pick(first, 2)
    digest = der.oid(der.pick(der.inside(algorithm, der.SEQUENCE), 0))
    found = {"signed": True, "signer": None, "serial": None, "hash": HASHES.get(digest, digest), "key_id": None}
    if who.tag == der.SEQUENCE:
        issuer, serial = (der.pick(der.inside(who), place) for place in range(2))
        signer = certificate.called(certificate.name(issuer))
        return {**found, "signer": signer, "serial": der.hexadecimal(der.number(serial))}
    return {**found, "key_id": who.body.hex()}  # sign-file -k: the subject key identifier


def parse_modinfo(text):
    """The same from the text of ``modinfo``, for zstd, which Python cannot read before 3.14."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, _colon, rest = line.partition(":")
        fields.setdefault(key.strip(), rest.strip())
    serial = fields.get("sig_key", "").replace(":", "").lower().lstrip("0")
    found = {
        "signed": True,
        "signer": fields.get("signer") or None,
        "serial": serial.zfill(len(serial) + len(serial) % 2) or None,
        "hash": fields.get("sig_hashalgo") or None,
        "key_id": None,
    }
    return {**(found if "sig_id" in fields else UNSIGNED), "version": fields.get("version")}


def read(system, path):
    """
    :returns: ``{signed, signer, serial, hash, key_id, version}``: signer is the issuer's common name in the signature,
        serial and key_id are small hexadecimal digits without colons, one of the two names the key; all three are None
        where a signature is there and cannot be read. version is the module's own. None: no module can be read there
    """
    if path.endswith(".zst"):
        answer = system.run(["modinfo", path], timeout=30)
        return parse_modinfo(answer.out) if answer.rc == 0 else None
    data = module_file.decompress(system, path)
    if data is None:
        return None
    return {**parse(data), "version": module_file.parse_modinfo(data).get("version")}
