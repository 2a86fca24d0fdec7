"""Which certificates and passwords are any good, and what crypt(5) and the machine's texts mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_certificate as certificates
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_host as host
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_password as passwords
from ansible_collections.gpufleet.nvidia.plugins.module_utils._certificate import read as read_certificate
from tests.unit.mok_hosts import DKMS
from tests.unit.mok_machine import NOW, needs_openssl
from tests.unit.rooted_system import RootedSystem

GOOD = read_certificate(DKMS)._replace(
    is_ca=False, key_usage=["digitalSignature"], extended_key_usage=["codeSigning", "moduleSigning"]
)
AUTHORITY = GOOD._replace(is_ca=True, key_usage=["keyCertSign", "digitalSignature"])
CA = "CONFIG_INTEGRITY_MACHINE_KEYRING=y\nCONFIG_INTEGRITY_CA_MACHINE_KEYRING=y\n"
CA_MAX = f"{CA}CONFIG_INTEGRITY_CA_MACHINE_KEYRING_MAX=y\n"
EKU = "CONFIG_CHECK_CODESIGN_EKU=y\n"
OWN = {"mine"}


@pytest.mark.parametrize(
    ("certificate", "config", "distribution", "sentence"),
    [
        (GOOD, "", OWN, None),
        (GOOD, None, OWN, None),
        (read_certificate(DKMS), "", OWN, None),  # as DKMS makes it: an authority without any purpose
        (GOOD._replace(extended_key_usage=["moduleSigning"]), "", OWN, None),
        (GOOD._replace(extended_key_usage=None, key_usage=None), "", OWN, None),
        (GOOD._replace(extended_key_usage=["2.5.29.37.0"]), "", OWN, None),
        (GOOD._replace(not_before="2026-11-21T23:00:00Z"), "", OWN, None),
        (GOOD._replace(not_after="2026-11-20T10:00:00Z"), "", OWN, "expired at 2026-11-20T10:00:00Z"),
        (GOOD._replace(not_before="2026-11-23T10:00:00Z"), "", OWN, "valid from 2026-11-23.*Correct this host's clock"),
        (GOOD._replace(key_bits=1024), "", OWN, "1024 bits.*RSA from 2048"),
        (GOOD._replace(key_bits=384), "", OWN, "384 bits.*RSA from 2048"),
        (GOOD._replace(key_bits=None), "", OWN, "an unusual kind"),
        (GOOD._replace(key_usage=["keyCertSign", "cRLSign"]), "", OWN, "keyCertSign, cRLSign; digitalSignature"),
        (GOOD._replace(key_usage=[]), "", OWN, "its key usage: nothing"),
        (GOOD._replace(extended_key_usage=["serverAuth"]), "", OWN, r"another purpose \(serverAuth; codeSigning"),
        (GOOD, EKU, OWN, None),
        (GOOD._replace(extended_key_usage=["moduleSigning"]), EKU, OWN, "this kernel wants"),
        (GOOD._replace(extended_key_usage=None), EKU, OWN, "this kernel wants"),
        (GOOD, CA, OWN, "would be enrolled and not count.*CA:TRUE with keyCertSign.*check_authority: false"),
        (AUTHORITY, CA, OWN, None),
        (AUTHORITY._replace(is_ca=False), CA, OWN, "would be enrolled and not count"),
        (AUTHORITY, CA_MAX, OWN, "authorities that sign nothing else"),
        (GOOD, CA_MAX, {"rocky", "rhel", "centos", "fedora"}, None),
        (GOOD, CA, {"debian"}, None),
        (GOOD, CA.replace("CONFIG", "# CONFIG"), OWN, None),
    ],
)
def test_a_certificate_is_good_for_modules_or_told_why_not(certificate, config, distribution, sentence):
    found = certificates.refusal(certificate, NOW, config, distribution)
    if sentence is None:
        assert found is None
    else:
        import re

        assert found is not None and re.search(sentence, found) and found.endswith(".")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\n', {"rocky", "rhel", "centos", "fedora"}),
        ("ID=debian\nVERSION_ID=13\n", {"debian"}),
        (None, set()),
    ],
)
def test_a_distribution_is_known_by_its_relatives(text, names):
    assert certificates.parse_distribution(text) == names


@pytest.mark.parametrize("word", ["abcdefgh", "A1b2C3d4E5f6G7h8", "!Punct~uation?"])
def test_a_password_of_the_us_keyboard_is_taken(word):
    assert passwords.refusal(word) is None


def test_no_refusal_repeats_the_password():
    for word in ("1234567", "x" * 40, "mit Abstand", "Käsekuchen"):
        assert word not in passwords.refusal(word)


ORDER = """
 0 21 42  22 43  1  44  2 23   3 24 45  25 46  4  47  5 26   6 27 48  28 49  7  50  8 29   9 30 51  31 52 10  53 11 32
12 33 54  34 55 13  56 14 35  15 36 57  37 58 16  59 17 38  18 39 60  40 61 19  62 20 41
"""  # of the 64 bytes, as the specification of SHA-crypt prints them


def encode(data: bytes) -> str:
    places = [int(place) for place in ORDER.split()]
    groups = [bytes(data[place] for place in places[at : at + 3]) for at in range(0, 63, 3)]
    numbers = [(int.from_bytes(group, "big"), 4) for group in groups] + [(data[63], 2)]
    return "".join(passwords.DIGITS[number >> 6 * place & 63] for number, size in numbers for place in range(size))


@given(st.binary(min_size=64, max_size=64))
def test_a_crypted_password_is_unpacked_as_it_was_packed(data):
    assert passwords.digest(encode(data)) == data


@given(st.binary(max_size=200))
def test_anything_may_stand_in_the_variable(data):
    auth = passwords.parse_auth(data)
    assert auth is None or len(auth.digest) == 128


@needs_openssl
def test_a_captured_request_is_confirmed_by_its_password_alone(tmp_path):
    from tests.unit.mok_hosts import captured

    system, auth = RootedSystem(tmp_path), passwords.parse_auth(captured("efi/MokAuth")[4:])
    assert passwords.confirms(system, auth, "Pw12345678")
    assert not passwords.confirms(system, auth, "Pw12345679")
    assert not passwords.confirms(system, auth._replace(rounds=10000), "Pw12345678")
    assert not passwords.confirms(system, auth._replace(salt="a b"), "Pw12345678")
    assert not passwords.confirms(system, None, "Pw12345678")


@pytest.mark.parametrize(
    ("text", "free"),
    [("262044 228312 1\n", 228312), ("100 10 4096\n", 40960), ("0 0 4096\n", None), ("", None), ("a b c", None)],
)
def test_the_room_in_the_variable_store_is_told_or_unknown(text, free):
    assert host.parse_space(text) == free


@given(st.text())
def test_any_text_is_a_list_of_mounts(text):
    assert host.parse_mounts(f"{text}\nx /y z rw,a 0 0\n", "/y") == {"rw", "a"}
