# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what matters of an X.509 certificate (RFC 5280) in plain Python; checks no signature and no chain."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections import namedtuple
from datetime import datetime

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _der as der
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", flags=re.S)
CERTIFICATE_NAMES = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE")
NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}
RSA = "1.2.840.113549.1.1.1"
CURVES = {"1.2.840.10045.3.1.7": 256, "1.3.132.0.34": 384, "1.3.132.0.35": 521}
SUBJECT_KEY, USAGE, CONSTRAINTS, EXTENDED = "2.5.29.14", "2.5.29.15", "2.5.29.19", "2.5.29.37"
USAGES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
EXTENDED_USAGES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.4.1.2312.16.1.2": "moduleSigning",  # of the kernel's modules alone: shim does not boot what it signed
}

Certificate = namedtuple(
    "Certificate",
    "der sha1 sha256 subject issuer serial not_before not_after ski is_ca key_usage extended_key_usage key_bits"
    " common_name issuer_name",
)
Certificate.__doc__ = """der: bytes. sha1, sha256, serial, ski: small hexadecimal digits without colons (ski None: it
has none). subject, issuer: ``O=Debian, CN=…``. not_before, not_after: ``2031-05-03T10:00:00Z``. key_usage: list, None:
no such extension (any use). extended_key_usage: the same, a purpose without a name is its identifier. key_bits: int,
None: neither RSA nor a common curve. common_name: of the subject, None: it has none.
issuer_name: what a module's signature calls the issuer, None: it has no name."""


def to_der(data):
    """The certificate's DER, out of DER or of PEM with whatever stands around it.

    :raises NvidiaError: for PEM without a certificate, with several, or with damaged base64
    """
    if b"-----BEGIN " not in data:
        return data
    blocks = PEM.findall(data)
    found = [body for name, body in blocks if name in CERTIFICATE_NAMES]
    if len(found) != 1:
        kinds = ", ".join(sorted({name.decode("ascii").lower() for name, _body in blocks})) or "nothing whole"
        raise NvidiaError(
            f"This PEM text has {len(found) or 'no'} certificate{'s' if len(found) > 1 else ''} where one is expected"
            f" (it has: {kinds}). Give the certificate of the signing key alone, in DER or PEM."
        )
    try:
        return binascii.a2b_base64(b"".join(found[0].split()))
    except (binascii.Error, ValueError) as exc:
        raise NvidiaError(
            f"The certificate's PEM text is damaged ({exc}). Copy it again, whole, or give it in DER."
        ) from exc


def read(data):
    """
    :param data: bytes, DER or PEM
    :returns: Certificate
    :raises NvidiaError: for anything that is none, with the reason
    """
    body = to_der(bytes(data))
    try:
        return _read(body)
    except der.DerError as exc:
        what = "It is empty" if not body else f"As an X.509 certificate it cannot be read: {exc}"
        raise NvidiaError(f"This is not a certificate. {what}. Give one in DER or PEM.") from exc


def _read(data):
    whole = der.inside(der.one(data), der.SEQUENCE)
    fields = der.inside(der.pick(whole, 0), der.SEQUENCE)
    if len(whole) != 3 or not fields:
        raise der.DerError("it has not the three parts of a certificate")
    if fields[0].tag == 0xA0:  # the version, left out in version 1
        fields = fields[1:]
    serial, _algorithm, issuer, validity, subject, key = (der.pick(fields, place) for place in range(6))
    times = [time(part) for part in der.inside(validity, der.SEQUENCE)]
    extensions = _extensions(next((part for part in fields[6:] if part.tag == 0xA3), None))
    names = name(subject)
    return Certificate(
        der=data,
        sha1=hashlib.sha1(data).hexdigest(),
        sha256=hashlib.sha256(data).hexdigest(),
        subject=written(names),
        issuer=written(name(issuer)),
        serial=der.hexadecimal(der.number(serial)),
        not_before=der.pick(times, 0),
        not_after=der.pick(times, 1),
        ski=_ski(extensions.get(SUBJECT_KEY)),
        is_ca=_is_ca(extensions.get(CONSTRAINTS)),
        key_usage=_usage(extensions.get(USAGE)),
        extended_key_usage=_extended(extensions.get(EXTENDED)),
        key_bits=_key_bits(key),
        common_name=dict(names).get("CN"),
        issuer_name=called(name(issuer)),
    )


def name(found):
    """``[(type, value)]`` of a distinguished name, in its order."""
    pairs = []
    for relative in der.inside(found, der.SEQUENCE):
        for attribute in der.inside(relative, der.SET):
            parts = der.inside(attribute, der.SEQUENCE)
            kind = der.oid(der.pick(parts, 0))
            pairs.append((NAMES.get(kind, kind), der.text(der.pick(parts, 1))))
    return pairs


def written(pairs):
    """A distinguished name for people."""
    return ", ".join(f"{kind}={value}" for kind, value in pairs)


def called(pairs):
    """The common name of a distinguished name, all of it where there is none, None where it is empty."""
    return dict(pairs).get("CN") or written(pairs) or None


def time(found):
    """UTCTime or GeneralizedTime as ``2031-05-03T10:00:00Z``."""
    digits = der.expect(found, der.UTC_TIME, der.GENERALIZED_TIME).body
    if not re.fullmatch(rb"\d{12}Z" if found.tag == der.UTC_TIME else rb"\d{14}Z", digits):
        raise der.DerError("it has a time that is not in UTC to the second")
    written_out = digits.decode("ascii")
    if found.tag == der.UTC_TIME:
        written_out = f"{'19' if written_out >= '50' else '20'}{written_out}"
    try:
        return datetime.strptime(written_out, "%Y%m%d%H%M%SZ").isoformat() + "Z"
    except ValueError as exc:
        raise der.DerError("it has a time that no calendar has") from exc


def _extensions(found):
    if found is None:
        return {}
    values = {}
    for extension in der.inside(der.pick(der.inside(found), 0), der.SEQUENCE):
        parts = der.inside(extension, der.SEQUENCE)
        if len(parts) < 2:
            raise der.DerError("it has an extension without a value")
        values[der.oid(parts[0])] = der.one(der.expect(parts[-1], der.OCTET_STRING).body)
    return values


def _ski(value):
    return None if value is None else der.expect(value, der.OCTET_STRING).body.hex()


def _is_ca(value):
    parts = [] if value is None else der.inside(value, der.SEQUENCE)
    return bool(parts) and parts[0].tag == der.BOOLEAN and parts[0].body == b"\xff"


def _usage(value):
    if value is None:
        return None
    bits = der.expect(value, der.BIT_STRING).body[1:]
    return [use for place, use in enumerate(USAGES) if bits[place // 8 : place // 8 + 1] and _bit(bits, place)]


def _bit(data, place):
    return bool(data[place // 8] & 0x80 >> place % 8)


def _extended(value):
    if value is None:
        return None
    purposes = [der.oid(part) for part in der.inside(value, der.SEQUENCE)]
    return [EXTENDED_USAGES.get(purpose, purpose) for purpose in purposes]


def _key_bits(found):
    algorithm, bits = (der.pick(der.inside(found, der.SEQUENCE), place) for place in range(2))
    kind = der.inside(algorithm, der.SEQUENCE)
    if der.oid(der.pick(kind, 0)) == RSA:
        modulus = der.pick(der.inside(der.one(der.expect(bits, der.BIT_STRING).body[1:]), der.SEQUENCE), 0)
        return der.number(modulus).bit_length()
    return CURVES.get(der.oid(kind[1])) if len(kind) > 1 and kind[1].tag == der.OBJECT else None
