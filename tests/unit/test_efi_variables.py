"""EFI variables, of real bytes and of any."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem
from tests.unit.mok_hosts import ATTRIBUTES, DKMS, DKMS_SHA1, captured, files, signature_list


def test_shims_list_has_the_key_that_mokutil_lists():
    found = efi.certificates(captured("efi/MokListRT")[4:])
    assert [(row.sha1[:10], row.common_name) for row in found] == [("53610cf81f", "Debian Secure Boot CA")]
    assert f"{found[0].sha1[:10]} {found[0].common_name}\n" == fixture("mokutil/0.7.2-list-enrolled-short.txt")


def test_the_firmwares_list_has_microsofts_two_keys():
    names = [row.common_name for row in efi.certificates(captured("efi/db")[4:])]
    assert names == ["Microsoft Windows Production PCA 2011", "Microsoft Corporation UEFI CA 2011"]


def test_a_request_has_the_certificate_that_was_asked_for():
    found = efi.certificates(captured("efi/MokNew")[4:])
    assert [(row.der, row.sha1) for row in found] == [(DKMS, DKMS_SHA1)]


def test_the_bytes_in_the_kernels_memory_count_before_the_variable_which_may_be_cut():
    system = FakeSystem(files())
    assert efi.mirrored(system, "MokListRT") == captured("efi/MokListRT")[4:]
    system.files[f"{efi.MOK_VARIABLES}/MokListRT"] = b"whole"
    assert efi.mirrored(system, "MokListRT") == b"whole"


def test_the_parts_of_a_long_list_are_put_together():
    whole = signature_list(DKMS)[4:] * 3
    parts = [whole[:1000], whole[1000:2000], whole[2000:]]
    names = ["MokListRT", "MokListRT1", "MokListRT2"]
    system = FakeSystem({efi.path(name): ATTRIBUTES + part for name, part in zip(names, parts)})
    assert len(efi.certificates(efi.mirrored(system, "MokListRT"))) == 3
    assert efi.mirrored(system, "MokListXRT") is None


@pytest.mark.parametrize(("data", "value"), [(None, None), (b"", None), (b"\x07\0\0", None), (ATTRIBUTES, b"")])
def test_a_variable_without_its_attributes_is_none(data, value):
    system = FakeSystem({} if data is None else {efi.path("MokTimeout"): data})
    assert efi.value(system, "MokTimeout") == value


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (captured("efi/MokTimeout")[4:], 60),
        (struct.pack("<h", -1), -1),
        (struct.pack("<i", 300), 300),
        (b"", None),
        (None, None),
        (b"\1\2\3", None),
    ],
)
def test_the_time_out_has_a_sign_and_two_or_four_bytes(data, number):
    assert efi.parse_number(data) == number


def test_hashes_and_what_is_no_certificate_are_passed_over():
    hashes = efi.LIST.pack(bytes(16), efi.LIST.size + 48, 0, 48) + bytes(48)
    damaged = signature_list(b"no certificate", DKMS)[4:]
    assert [row.sha1 for row in efi.certificates(hashes + damaged)] == [DKMS_SHA1]


@given(st.lists(st.sampled_from([DKMS, b"x", b""]), max_size=4), st.binary(max_size=40))
def test_a_damaged_end_leaves_what_is_before_it(bodies, end):
    whole = signature_list(*bodies)[4:]
    rows = efi.parse_signature_lists(whole + end)
    kept = [body for body in bodies if body]
    if all(bodies):  # a signature without a byte is no signature, and ends the reading
        assert [body for _kind, body in rows][: len(kept)] == kept


@given(st.binary(max_size=400))
def test_any_bytes_can_be_read(data):
    efi.certificates(data)
    efi.certificates(signature_list(DKMS)[4:200] + data)
    assert efi.is_set(data[:1]) in (True, False, None)
    efi.parse_number(data)
