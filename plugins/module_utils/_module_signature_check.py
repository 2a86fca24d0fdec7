# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the signature behind a kernel module with the public key of a certificate, as the kernel will (RFC 8017)."""

from __future__ import annotations

import hashlib

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _der as der
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_key_pair as pairs
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _signature as signature

NOTHING = b"\x05\x00"  # the parameters of a digest algorithm


def is_good(data, certificate):
    """Whether the module's content is what the certificate's key has signed; False also for what is not understood.

    :param data: the module's bytes; :param certificate: in DER; its key is RSA
    """
    module, message, kind = signature.split(data)
    if message is None or kind != signature.PKCS7:
        return False
    try:
        algorithm, name, signed = _signer(message)
        modulus, exponent = _rsa(certificate)
        digest = hashlib.new(name.replace("-", "_"), module).digest()
    except (der.DerError, ValueError):
        return False
    size = (modulus.bit_length() + 7) // 8
    if len(signed) != size:
        return False
    found = pow(int.from_bytes(signed, "big"), exponent, modulus).to_bytes(size, "big")
    told = _wrap(der.SEQUENCE, _wrap(der.SEQUENCE, algorithm + NOTHING) + _wrap(der.OCTET_STRING, digest))
    return found == b"\x00\x01" + b"\xff" * (size - len(told) - 3) + b"\x00" + told


def _wrap(tag, body):
    """An element of DER, of at most 127 bytes as those of a digest are."""
    return bytes((tag, len(body))) + body


def _signer(message):
    """(the digest algorithm's identifier, its name, the signature) of the one signer; it has no attributes."""
    content = der.inside(der.one(message), der.SEQUENCE)
    signed = der.inside(der.pick(der.inside(der.pick(content, 1)), 0), der.SEQUENCE)
    signers = der.inside(signed[-1], der.SET) if signed else []
    if len(signers) != 1:
        raise der.DerError("it has not one signer")
    parts = der.inside(signers[0], der.SEQUENCE)
    if len(parts) != 5:  # version, who, digest, algorithm, signature: attributes would make the kernel refuse it
        raise der.DerError("it has attributes")
    algorithm = der.pick(der.inside(parts[2], der.SEQUENCE), 0)
    return algorithm.raw, signature.HASHES.get(der.oid(algorithm), ""), der.expect(parts[4], der.OCTET_STRING).body


def _rsa(certificate):
    bits = der.pick(der.inside(der.one(pairs.public_key(certificate)), der.SEQUENCE), 1)
    numbers = der.inside(der.one(der.expect(bits, der.BIT_STRING).body[1:]), der.SEQUENCE)
    return der.number(der.pick(numbers, 0)), der.number(der.pick(numbers, 1))
