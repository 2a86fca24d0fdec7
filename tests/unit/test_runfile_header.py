"""What a file says of itself, without a line of it being executed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._runfile_header import (
    KINDS,
    Runfile,
    describe_other,
    mismatch,
    parse_header,
    parse_name,
    same_version,
)

versions = st.lists(st.integers(0, 999), min_size=2, max_size=3).map(lambda parts: ".".join(map(str, parts)))


def driver_header(folder="NVIDIA-Linux-x86_64-580.159.04", version="580.159.04"):
    return f"""#! /bin/sh
skip=1090
CRCsum=1187429483
MD5=1cb347a27c40e73f2d12b16bdf961a1e
label="NVIDIA Accelerated Graphics Driver for Linux-x86_64 {version}"
version_string={version}
pkg_history=
script=./nvidia-installer
targetdir={folder}
scriptargs=""
\techo Uncompressed size: 1100000 KB
""".encode()


CUDA_HEADER = b"""#!/bin/sh
# This script was generated using Makeself 2.4.5
label="CUDA Installer"
script="./cuda-installer"
targetdir="pkg"
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NVIDIA-Linux-x86_64-580.159.04.run", ("driver", "580.159.04", "x86_64")),
        ("NVIDIA-Linux-aarch64-570.86.run", ("driver", "570.86", "aarch64")),
        ("NVIDIA-Linux-x86_64-390.157-no-compat32.run", ("driver", "390.157", "x86_64")),
        ("NVIDIA-Linux-x86_64-535.261.03-grid.run", ("grid", "535.261.03", "x86_64")),
        ("NVIDIA-Linux-x86_64-535.161.08-grid-azure.run", ("grid", "535.161.08", "x86_64")),
        ("NVIDIA-Linux-x86_64-580.65.05-vgpu-kvm.run", ("vgpu_manager", "580.65.05", "x86_64")),
        ("cuda_12.6.3_560.35.05_linux.run", ("cuda", "12.6.3", "x86_64")),
        ("cuda_13.4.0_linux.run", ("cuda", "13.4.0", "x86_64")),
        ("cuda_12.6.3_560.35.05_linux_sbsa.run", ("cuda", "12.6.3", "aarch64")),
        ("cuda_8.0.61_375.26_linux-run", ("cuda", "8.0.61", "x86_64")),
    ],
)
def test_the_names_that_nvidia_gives_are_read(name, expected):
    found = parse_name(name)
    assert (found.kind, found.version, found.machine) == expected


@pytest.mark.parametrize(
    "name", ["driver.run", "NVIDIA-Linux-x86_64.run", "cuda_linux.run", "", "cuda_12.6_linux_vax.run"]
)
def test_another_name_tells_nothing(name):
    assert parse_name(name) is None


@pytest.mark.parametrize(
    ("suffix", "kind"), [("", "driver"), ("-grid", "grid"), ("-grid-aws", "grid"), ("-vgpu-kvm", "vgpu_manager")]
)
def test_the_header_tells_kind_version_and_machine(suffix, kind):
    found = parse_header(driver_header(f"NVIDIA-Linux-x86_64-580.159.04{suffix}"))
    assert found == Runfile(kind, "580.159.04", "x86_64", 1100000)


def test_a_cuda_header_tells_the_kind_alone():
    assert parse_header(CUDA_HEADER) == Runfile("cuda", None, None, None)


def test_a_makeself_file_of_somebody_else_is_not_nvidia_s():
    assert parse_header(b'#!/bin/sh\nlabel="Other"\nscript="./setup.sh"\ntargetdir="x"\n') is None


def test_a_header_after_the_archive_begins_is_not_looked_for():
    assert parse_header(b"#!/bin/sh\n" + b"#" * 200_000 + driver_header()) is None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n <HTML><head>", "web page"),
        (b'{"error": "expired"}', "JSON"),
        (b"!<arch>\ndebian-binary", "Debian package"),
        (b"\xed\xab\xee\xdb\x03", "RPM package"),
        (b"PK\x03\x04", "zip archive"),
        (b"\x00\x01", "installer script"),
    ],
)
def test_what_is_there_instead_is_named(data, told):
    assert parse_header(data) is None
    assert told in describe_other(data)


@given(st.binary(max_size=2000))
def test_any_bytes_can_be_read(data):
    found = parse_header(data)
    assert found is None or found.kind in KINDS
    assert describe_other(data)


@given(st.text(max_size=80))
def test_any_name_can_be_read(name):
    assert parse_name(name) is None or parse_name(name).version[0].isdigit()


@given(versions, versions)
def test_versions_are_one_when_the_shorter_is_the_beginning_of_the_longer(one, other):
    assert same_version(one, one)
    pair = [one, other]
    assert same_version(*pair) == same_version(*reversed(pair))
    assert same_version(f"{one}.7" if one.count(".") == 1 else one, one)


def test_numbers_are_compared_and_not_letters():
    assert same_version("580.159.4", "580.159.04")
    assert not same_version("12.6.3", "12.60.3")


@pytest.mark.parametrize(
    ("file", "kind", "version", "told"),
    [
        (Runfile("driver", "580.1", "x86_64", None), "grid", "580.1", "is a driver, and kind is grid"),
        (Runfile("cuda", "12.6.3", "x86_64", None), "cuda", "12.4", "holds version 12.6.3, and version is 12.4"),
        (Runfile("driver", "580.1", "aarch64", None), "driver", "580.1", "is for aarch64, and this host is x86_64"),
    ],
)
def test_a_file_that_is_not_what_was_asked_for_is_named(file, kind, version, told):
    assert told in mismatch(file, kind, version, "x86_64", "FILE")


def test_a_fitting_file_is_no_mismatch():
    assert mismatch(Runfile("cuda", "12.6.3", "x86_64", None), "cuda", "12.6", "x86_64", "FILE") is None
    assert mismatch(Runfile("cuda", None, None, None), "cuda", "12.6.3", "x86_64", "FILE") is None
