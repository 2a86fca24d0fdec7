"""Who signed a kernel module: of modules that were really signed, of what OpenSSL signs, and of any bytes."""

from __future__ import annotations

import gzip
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _signature as signature
from ansible_collections.gpufleet.nvidia.plugins.module_utils._certificate import read as read_certificate
from ansible_collections.gpufleet.nvidia.plugins.module_utils._module_file import MAGIC
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import Result
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem
from tests.unit.mok_hosts import DKMS_SERIAL, SIGNED_BY_DEBIAN, SIGNED_BY_DKMS
from tests.unit.test_certificate import made, openssl

BY_DKMS = {
    "signed": True,
    "signer": "DKMS module signing key",
    "serial": DKMS_SERIAL,
    "hash": "sha256",
    "key_id": None,
}
UNSIGNED = {"signed": False, "signer": None, "serial": None, "hash": None, "key_id": None}


def appended(message, kind=signature.PKCS7):
    return b"module" + message + signature.TRAILER.pack(0, 0, kind, 0, 0, len(message)) + MAGIC


@pytest.mark.parametrize(("data", "case"), [(SIGNED_BY_DKMS, "nvidia-current-peermem"), (SIGNED_BY_DEBIAN, "rapl")])
def test_a_real_signature_is_read_as_modinfo_reads_it(data, case):
    by_modinfo = signature.parse_modinfo(fixture(f"modinfo/34-{case}.txt"))
    by_modinfo.pop("version")
    assert signature.parse(data) == by_modinfo


def test_the_key_of_dkms_is_named():
    assert signature.parse(SIGNED_BY_DKMS) == BY_DKMS


@pytest.mark.parametrize("digest", ["sha256", "sha512", "sha384"])
@pytest.mark.parametrize("by_identifier", [False, True])
def test_what_the_kernels_way_of_signing_gives_is_read(tmp_path, digest, by_identifier):
    certificate = read_certificate(made(tmp_path, subject="/O=Site/CN=Of the site"))
    (tmp_path / "module").write_bytes(b"module")
    options = ["-keyid"] if by_identifier else []
    openssl("x509", "-inform", "DER", "-in", tmp_path / "certificate.der", "-out", tmp_path / "certificate.pem")
    message = openssl(
        *("cms", "-sign", "-in", tmp_path / "module", "-binary", "-noattr", "-nocerts", "-nosmimecap"),
        *("-signer", tmp_path / "certificate.pem", "-inkey", tmp_path / "key.pem", "-md", digest),
        *("-outform", "DER", *options),
    )
    found = signature.parse(appended(message))
    assert (found["signed"], found["hash"]) == (True, digest)
    if by_identifier:
        assert (found["key_id"], found["serial"], found["signer"]) == (certificate.ski, None, None)
    else:
        assert (found["key_id"], found["serial"], found["signer"]) == (None, certificate.serial, "Of the site")


@pytest.mark.parametrize("data", [b"", b"module", MAGIC[1:]])
def test_a_module_without_a_signature_is_unsigned(data):
    assert signature.parse(data) == UNSIGNED
    assert signature.split(data) == (data, None, None)


@pytest.mark.parametrize("data", [MAGIC, appended(b"")[:-40] + MAGIC, appended(b"no message"), appended(b"", kind=0)])
def test_a_signature_that_cannot_be_read_is_one_of_an_unknown_key(data):
    assert signature.parse(data) == {**UNSIGNED, "signed": True}


def test_the_module_and_its_signature_are_told_apart():
    module, message, kind = signature.split(appended(b"message"))
    assert (module, message, kind) == (b"module", b"message", signature.PKCS7)


@pytest.mark.parametrize(
    ("ending", "packed"),
    [("", SIGNED_BY_DKMS), (".xz", lzma.compress(SIGNED_BY_DKMS)), (".gz", gzip.compress(SIGNED_BY_DKMS))],
)
def test_compressed_modules_are_unpacked(ending, packed):
    system = FakeSystem({f"/m.ko{ending}": packed})
    assert signature.read(system, f"/m.ko{ending}") == {**BY_DKMS, "version": None}
    assert system.ran == []


def test_modinfo_is_asked_for_zstd_alone():
    system = FakeSystem({"/m.ko.zst": b"?"}, commands={("modinfo",): fixture("modinfo/34-nvidia-current-peermem.txt")})
    assert signature.read(system, "/m.ko.zst") == {**BY_DKMS, "version": "550.163.01"}
    assert system.ran == [["modinfo", "/m.ko.zst"]]


@pytest.mark.parametrize(
    "system",
    [
        FakeSystem(),
        FakeSystem({"/m.ko.xz": b"damaged"}),
        FakeSystem({"/m.ko.zst": b"?"}, commands={("modinfo",): Result(1, "", "damaged")}),
    ],
)
def test_a_module_that_cannot_be_read_is_none(system):
    assert [signature.read(system, f"/m.ko{ending}") for ending in ("", ".xz", ".zst")] == [None] * 3


def test_modinfo_of_an_unsigned_module_says_so():
    assert signature.parse_modinfo("filename: /m.ko.zst\nversion: 1.2\n") == {**UNSIGNED, "version": "1.2"}


def test_a_modinfo_without_openssl_knows_that_there_is_a_signature():
    text = "sig_id:         PKCS#7\nsigner:         \nsig_key:        \nsig_hashalgo:   md4\n"
    assert signature.parse_modinfo(text)["signed"] is True
    assert signature.parse_modinfo(text)["serial"] is None


@given(st.binary(max_size=300))
def test_any_bytes_behind_a_module_are_read(message):
    for data in (message, message + MAGIC, appended(message)):
        found = signature.parse(data)
        assert found["signed"] == data.endswith(MAGIC)


@given(st.integers(6, len(SIGNED_BY_DKMS) - 1), st.integers(0, 255))
def test_a_damaged_signature_never_fails(place, byte):
    data = SIGNED_BY_DKMS[:place] + bytes([byte]) + SIGNED_BY_DKMS[place + 1 :]
    assert set(signature.parse(data)) == set(BY_DKMS)


@given(st.text(max_size=200))
def test_any_text_of_modinfo_is_read(text):
    assert set(signature.parse_modinfo(f"sig_id: PKCS#7\n{text}")) == {*BY_DKMS, "version"}
