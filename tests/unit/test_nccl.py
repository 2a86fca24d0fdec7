"""Which NCCL a host has and which the linker gives: real caches, and caches that are none."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nccl
from tests.unit.fake_system import FakeSystem

STATUS = """Package: libnccl2
Status: hold ok installed
Architecture: amd64
Version: 2.28.3-1+cuda13.0

Package: libnccl-dev
Status: install ok installed
Version: 2.28.3-1+cuda13.0

Package: libnccl-ofi
Status: install ok installed
Version: 1.0-1

Package: libnccl
Status: deinstall ok config-files
Version: 1.0-1
"""


def cache(*rows, preface=b""):
    """A linker's cache as glibc writes it; rows of (name, path)."""
    table, entries = b"", b""
    strings = _nccl.HEADER_SIZE + len(rows) * _nccl.ENTRY.size
    for name, path in rows:
        key = strings + len(table)
        table += name.encode() + b"\0"
        value = strings + len(table)
        table += path.encode() + b"\0"
        entries += _nccl.ENTRY.pack(0x303, key, value, 0, 0)
    header = _nccl.HEADER.pack(_nccl.MAGIC, len(rows), len(table))
    return preface + header.ljust(_nccl.HEADER_SIZE, b"\0") + entries + table


LIB = "/usr/lib/x86_64-linux-gnu"
PACKAGED = {f"{LIB}/libnccl.so.2.28.3": ""}
LINK = {f"{LIB}/libnccl.so.2": "libnccl.so.2.28.3"}


def test_the_linker_s_first_library_is_the_default():
    files = {
        **PACKAGED,
        "/opt/own/libnccl.so.2": "",
        "/etc/ld.so.cache": cache(
            ("libm.so.6", "/lib/libm.so.6"),
            ("libnccl.so.2", f"{LIB}/libnccl.so.2"),
            ("libnccl.so.2", "/opt/own/libnccl.so.2"),
        ),
    }
    facts = _nccl.observe(FakeSystem({**files, "/var/lib/dpkg/status": STATUS}, LINK), "apt")
    assert facts["default"] == {"path": f"{LIB}/libnccl.so.2", "version": "2.28.3"}
    assert [row["in_cache"] for row in facts["libraries"]] == [True, True]
    assert facts["libraries"][1] == {"path": "/opt/own/libnccl.so.2", "version": None, "in_cache": True}


def test_packages_are_told_with_their_holds():
    assert _nccl.parse_status(STATUS) == [
        {"name": "libnccl-dev", "version": "2.28.3-1+cuda13.0", "held": False},
        {"name": "libnccl2", "version": "2.28.3-1+cuda13.0", "held": True},
    ]


def test_a_library_that_the_linker_does_not_know_is_no_default():
    facts = _nccl.observe(
        FakeSystem({**PACKAGED, "/etc/ld.so.cache": cache(("libm.so.6", "/lib/libm.so.6"))}, LINK), "apt"
    )
    assert facts["default"] is None
    assert facts["libraries"] == [{"path": f"{LIB}/libnccl.so.2", "version": "2.28.3", "in_cache": False}]


def test_a_library_of_the_hpc_sdk_is_found_and_stays_outside():
    path = "/opt/nvidia/hpc_sdk/Linux_x86_64/25.9/comm_libs/nccl/lib/libnccl.so.2"
    assert _nccl.observe(FakeSystem({path: ""}), "apt")["libraries"] == [
        {"path": path, "version": None, "in_cache": False}
    ]


def test_a_cache_with_the_old_format_before_the_new_one_is_read():
    rows = (("libnccl.so.2", f"{LIB}/libnccl.so.2"),)
    assert _nccl.parse_cache(cache(*rows, preface=b"ld.so-1.7.0\0" + b"\0" * 36)) == [f"{LIB}/libnccl.so.2"]


def test_rpm_and_pacman_are_read_as_well():
    assert _nccl.parse_rpm("libnccl 2.23.4-1+cuda12.6\npackage libnccl-devel is not installed\n") == [
        {"name": "libnccl", "version": "2.23.4-1+cuda12.6", "held": False}
    ]
    system = FakeSystem({"/var/lib/pacman/local/nccl-2.28.9-1/desc": ""})
    assert _nccl.observe(system, "pacman")["packages"] == [{"name": "nccl", "version": "2.28.9-1", "held": False}]


def test_a_host_without_nccl_has_nothing():
    system = FakeSystem()
    assert _nccl.observe(system, "apt") == {"packages": [], "libraries": [], "default": None}
    assert system.ran == []


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1))
def test_any_bytes_are_no_cache_but_never_an_error(noise, count):
    assert _nccl.parse_cache(noise) == []
    made_up = struct.pack("<20sII", _nccl.MAGIC, min(count, 500), 5).ljust(48, b"\0") + noise
    assert all(path.startswith("/") for path in _nccl.parse_cache(made_up))


@given(st.text(max_size=300))
def test_any_text_is_a_list_of_packages(text):
    assert isinstance(_nccl.parse_status(text), list) and isinstance(_nccl.parse_rpm(text), list)
