# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private key and its certificate: made with openssl, read, and checked to belong together."""

from __future__ import annotations

import base64
import binascii
import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _certificate as certificate
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _der as der
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_stage as stage
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

NEW_KEY, NEW_CERTIFICATE, REQUEST = (f"{stage.FOLDER}/{name}" for name in ("new.key", "new.der", "request.cnf"))
COMMON_NAME = re.compile(r"[A-Za-z0-9 .,:@()_+/-]{1,64}")
MODULES_ALONE = ",1.3.6.1.4.1.2312.16.1.2"  # kernel module signing: shim boots nothing that such a key has signed
PATIENCE = 300  # seconds; a slow machine with little entropy

Pair = namedtuple("Pair", "key text certificate file")
Pair.__doc__ = """key, file: paths of the private key and the certificate; text: of the key, None: there is no such
file; certificate: Certificate, None: there is no such file."""


def successor(path):
    """Where the pair that follows waits: ``signing.key`` is followed by ``signing.next.key``."""
    stem, dot, suffix = path.rpartition(".")
    return f"{stem}.next.{suffix}" if dot and "/" not in suffix else f"{path}.next"


def read(system, key, file):
    """The Pair at two paths.

    :raises NvidiaError: where one of them cannot be read, or is not what it should be
    """
    text, data = system.read(key), system.read_bytes(file)
    for path, content in ((key, text), (file, data)):
        if content is None and system.exists(path):
            raise NvidiaError(f"{path} is there and cannot be read. Run as root (become: true).")
    try:
        found = None if data is None else certificate.read(data)
    except NvidiaError as exc:
        raise NvidiaError(f"{file}: {exc} Move it away, if it is nothing of yours.") from exc
    return Pair(key, text, found, file)


def public_key(data):
    """The public key within a certificate, as the bytes of its SubjectPublicKeyInfo."""
    fields = der.inside(der.pick(der.inside(der.one(data), der.SEQUENCE), 0), der.SEQUENCE)
    return der.pick(fields[1:] if fields[0].tag == 0xA0 else fields, 5).raw


def public_half(system, text, where):
    """The public key of a private one, which goes to openssl through standard input.

    :raises NvidiaError: for a key that is encrypted, not in PEM, or damaged
    """
    if "ENCRYPTED" in text:
        raise NvidiaError(
            f"{where} is encrypted, and nobody can type its passphrase when DKMS builds a module. Decrypt it where it"
            " is kept (openssl pkey -in KEY -out PLAIN), and protect it there: ansible-vault, or a file of mode 0600."
        )
    if "PRIVATE KEY-----" not in text:
        raise NvidiaError(f"{where} is no private key in PEM, which is what the kernel's sign-file takes.")
    answer = system.run(["openssl", "pkey", "-pubout"], data=text, timeout=60)
    if answer.rc == 127:
        raise NvidiaError("Keys are made and checked by openssl, which is not installed. Install the package openssl.")
    body = re.search(r"-----BEGIN PUBLIC KEY-----(.*?)-----END", answer.out, flags=re.S)
    try:
        return binascii.a2b_base64(body[1].replace("\n", "")) if answer.rc == 0 and body else _damaged(where)
    except binascii.Error:
        return _damaged(where)


def _damaged(where):
    raise NvidiaError(f"{where} cannot be read as a private key: openssl refuses it. Copy it again, whole.")


def check(system, pair):
    """:raises NvidiaError: where key and certificate do not belong together"""
    if public_half(system, pair.text, pair.key) != public_key(pair.certificate.der):
        raise NvidiaError(
            f"The private key {pair.key} and the certificate {pair.file} do not belong together, so nothing that is"
            " signed with them would be trusted. Put the right two there, or move both away and have a pair made."
        )


def configuration(common_name, modules_only):
    """The file that tells openssl what a certificate for kernel modules is."""
    if not COMMON_NAME.fullmatch(common_name):
        raise NvidiaError(
            f"The common name {common_name!r} cannot be used: 1 to 64 letters, digits, spaces and .,:@()_+/- are fine."
        )
    return (
        "[req]\nprompt = no\nstring_mask = utf8only\ndistinguished_name = name\nx509_extensions = use\n"
        f"[name]\nCN = {common_name}\n"
        "[use]\nbasicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n"
        f"extendedKeyUsage = codeSigning{MODULES_ALONE if modules_only else ''}\n"
        "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n"
    )


def make(system, params, common_name, key=None):
    """(text of the private key, DER of the certificate), new, or for the private key at a path."""
    system.folder(stage.FOLDER, mode=0o700)
    source = ["-key", key] if key else ["-newkey", f"rsa:{params['bits']}", "-nodes", "-keyout", NEW_KEY]
    argv = ["openssl", "req", "-new", "-x509", "-sha256", "-utf8", "-config", REQUEST, *source]
    try:
        system.write(REQUEST, configuration(common_name, params["modules_only"]), mode=0o600)
        answer = system.run(
            [*argv, "-days", str(params["days"]), "-outform", "DER", "-out", NEW_CERTIFICATE], timeout=PATIENCE
        )
        text, data = system.read(key or NEW_KEY), system.read_bytes(NEW_CERTIFICATE)
    finally:
        for path in (REQUEST, NEW_KEY, NEW_CERTIFICATE):
            system.remove(path)
    if answer.rc == 127:
        raise NvidiaError("Keys are made by openssl, which is not installed. Install the package openssl.")
    if answer.rc != 0 or not text or not data:
        raise NvidiaError(f"openssl made no key pair: {(answer.err or answer.out).strip()[-300:]}")
    return text, data


def delivered(params):
    """(text of the private key, Certificate) that the task hands over, or None."""
    text, content = params["private_key_content"], params["certificate_content"]
    if text is None and content is None:
        return None
    if not text or not content:
        raise NvidiaError(
            "A pair that is delivered has two halves: give private_key_content and certificate_content both."
        )
    if "-----BEGIN " in content:
        return f"{text.strip()}\n", certificate.read(content.encode("utf-8"))
    try:
        return f"{text.strip()}\n", certificate.read(base64.b64decode("".join(content.split()), validate=True))
    except (binascii.Error, ValueError) as exc:
        raise NvidiaError(
            "certificate_content is neither PEM nor base64. Give its PEM text, or DER through b64encode."
        ) from exc
