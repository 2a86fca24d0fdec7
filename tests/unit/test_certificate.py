"""Certificates: what OpenSSL says of those it makes, what is known of real ones, and no surprise with any bytes."""

from __future__ import annotations

import base64
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _der as der
from ansible_collections.gpufleet.nvidia.plugins.module_utils._certificate import read, to_der
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from tests.unit.captured import fixture
from tests.unit.mok_hosts import DKMS, DKMS_SERIAL, DKMS_SHA1

QUICK = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
MODULE_SIGNING = "1.3.6.1.4.1.2312.16.1.2"


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def made(folder, *options, subject="/CN=A key for modules", key=QUICK, days="365"):
    """A new certificate in DER, with no other extensions than OpenSSL's own and those in *options*."""
    extensions = [word for option in options for word in ("-addext", option)]
    path = folder / "certificate.der"
    new = ["req", "-x509", "-newkey", *key, "-nodes", "-keyout", folder / "key.pem", "-out", path, "-outform", "DER"]
    openssl(*new, "-days", days, "-subj", subject, "-utf8", *extensions)
    return path.read_bytes()


def said(data, option):
    """What OpenSSL says of a certificate, small and without colons."""
    line = openssl("x509", "-inform", "DER", "-noout", *option.split(), data=data).decode()
    return line.strip().partition("=")[2].replace(":", "").lower()


def test_the_key_that_dkms_made_is_read_as_mokutil_reads_it():
    found, text = read(DKMS), fixture("mokutil/0.7.2-list-new.txt")
    assert (found.sha1, found.serial) == (DKMS_SHA1, DKMS_SERIAL)
    assert re.findall(r"SHA1 Fingerprint: (\S+)", text) == [":".join(re.findall("..", found.sha1))]
    assert re.findall(r"Subject Key Identifier: \n +(\S+)", text) == [":".join(re.findall("..", found.ski.upper()))]
    assert (found.subject, found.issuer, found.common_name) == (*["CN=DKMS module signing key"] * 2, found.issuer_name)
    assert (found.not_before, found.not_after) == ("2026-11-21T09:59:08Z", "2126-10-28T09:59:08Z")
    assert (found.is_ca, found.key_bits, found.extended_key_usage) == (True, 2048, ["codeSigning"])
    assert found.key_usage is None, "it has no such extension, so any use is allowed"


@pytest.mark.parametrize(
    ("key", "bits"),
    [(("rsa:2048",), 2048), (("ec", "-pkeyopt", "ec_paramgen_curve:P-384"), 384), (("ed25519",), None)],
)
def test_fingerprints_serial_and_size_are_those_of_openssl(tmp_path, key, bits):
    data = made(tmp_path, key=key)
    found = read(data)
    assert found.sha1 == said(data, "-fingerprint -sha1")
    assert found.sha256 == said(data, "-fingerprint -sha256")
    assert found.serial == said(data, "-serial")
    assert found.key_bits == bits


def test_purposes_and_names_are_read(tmp_path):
    options = (
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=digitalSignature,cRLSign",
        f"extendedKeyUsage=codeSigning,{MODULE_SIGNING},1.2.3.4",
    )
    found = read(made(tmp_path, *options, subject="/C=DE/O=Rechenzentrum Süd/CN=Schlüssel, neu"))
    assert found.subject == "C=DE, O=Rechenzentrum Süd, CN=Schlüssel, neu"
    assert found.common_name == found.issuer_name == "Schlüssel, neu"
    assert (found.is_ca, found.key_usage) == (False, ["digitalSignature", "cRLSign"])
    assert found.extended_key_usage == ["codeSigning", "moduleSigning", "1.2.3.4"]


def test_a_certificate_without_a_common_name_is_called_by_all_its_names(tmp_path):
    found = read(made(tmp_path, subject="/O=Somebody/OU=Modules"))
    assert (found.common_name, found.issuer_name) == (None, "O=Somebody, OU=Modules")


def test_a_certificate_without_an_identifier_has_none(tmp_path):
    assert read(made(tmp_path, "subjectKeyIdentifier=none", "authorityKeyIdentifier=none")).ski is None


def test_the_century_changes_at_the_year_2050(tmp_path):
    assert read(made(tmp_path, days="20000")).not_after > "2079"


def pem(data, name="CERTIFICATE"):
    return f"-----BEGIN {name}-----\n{base64.encodebytes(data).decode()}-----END {name}-----\n".encode()


@pytest.mark.parametrize("text", [pem(DKMS), b"a text before\n" + pem(DKMS), pem(DKMS).replace(b"\n", b"\r\n")])
def test_pem_is_turned_into_der(text):
    assert to_der(text) == DKMS
    assert read(text) == read(DKMS)


def test_a_key_beside_the_certificate_is_no_obstacle():
    assert to_der(pem(b"secret", "PRIVATE KEY") + pem(DKMS)) == DKMS


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "It is empty"),
        (b"not at all", "not a certificate"),
        (DKMS[:-1], "longer than the data"),
        (DKMS + b"\n", "bytes after its end"),
        (pem(DKMS) + pem(DKMS), "has 2 certificates"),
        (pem(b"secret", "PRIVATE KEY"), "has no certificate.*private key"),
        (pem(DKMS).replace(b"MII", b"M!!!", 1)[:90] + b"\n-----END CERTIFICATE-----", "certificate"),
        (b"-----BEGIN CERTIFICATE-----\nMIID", "has no certificate.*nothing whole"),
    ],
)
def test_what_is_none_is_refused_in_a_sentence(data, words):
    with pytest.raises(NvidiaError, match=f"(?s){words}.*[.]$"):
        read(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    for whole in (data, b"0\x82" + len(data).to_bytes(2, "big") + data):
        try:
            read(whole)
        except NvidiaError as exc:
            assert str(exc).endswith(".")


@given(st.integers(0, len(DKMS) - 1), st.integers(0, 255), st.booleans())
def test_a_damaged_certificate_is_read_or_refused(place, byte, cut):
    data = DKMS[:place] + bytes([byte]) + (b"" if cut else DKMS[place + 1 :])
    try:
        found = read(data)
    except NvidiaError as exc:
        assert str(exc).endswith(".")
    else:
        assert found.der == data and (not cut or place == len(DKMS) - 1)


@given(st.integers(-(2**160), 2**160))
def test_a_number_is_written_in_whole_bytes(value):
    digits = der.hexadecimal(value)
    assert int(digits, 16) == value
    assert value < 0 or len(digits) % 2 == 0


@given(st.binary(min_size=1, max_size=30))
def test_an_identifier_is_dotted_or_refused(body):
    try:
        assert re.fullmatch(r"\d+(\.\d+)+", der.oid(der.Element(der.OBJECT, body, body)))
    except NvidiaError:
        assert body[-1] & 0x80
