from __future__ import annotations

import lzma
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver import (
    observe,
    observe_dkms,
    observe_library,
    observe_loaded,
    observe_on_disk,
    observe_others,
    parse_loaded,
)
from ansible_collections.gpufleet.nvidia.plugins.module_utils._module_file import MAGIC, parse_modinfo, parse_signer
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem

K = "6.1.0-41-amd64"
DKMS = "/var/lib/dkms/nvidia-current"
FOLDER = f"/lib/modules/{K}/updates/dkms"


def module_file(version="535.261.03", licence="NVIDIA", signer=None):
    """A kernel module as small as can be: an ELF file with a .modinfo section, signed when *signer* is given."""
    info = f"version={version}\0license={licence}\0".encode()
    names = b"\0.modinfo\0.shstrtab\0"
    body = info + names
    section = struct.Struct("<IIQQQQIIQQ")
    sections = [
        section.pack(0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        section.pack(1, 1, 0, 0, 64, len(info), 0, 0, 1, 0),
        section.pack(10, 3, 0, 0, 64 + len(info), len(names), 0, 0, 1, 0),
    ]
    header = b"\x7fELF\x02\x01\x01" + bytes(33) + struct.pack("<Q", 64 + len(body)) + bytes(10)
    data = header + struct.pack("<HHH", 64, 3, 2) + body + b"".join(sections)
    if signer is None:
        return data
    name = signer.encode()
    blob = b"\x30\x10\x06\x03\x55\x04\x03\x0c" + bytes([len(name)]) + name + b"rest"
    return data + blob + struct.pack(">BBBBBxxxI", 0, 0, 2, 0, 0, len(blob)) + MAGIC


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("proc/580.159.04-open.txt", ("580.159.04", "open")),
        ("proc/535.183.01-proprietary.txt", ("535.183.01", "proprietary")),
    ],
)
def test_both_forms_of_the_version_file_are_read(name, expected):
    assert parse_loaded(fixture(name)) == expected


@given(st.text())
def test_no_text_breaks_the_version_parser(text):
    parsed = parse_loaded(text)
    assert parsed is None or parsed[1] in ("open", "proprietary")


def test_nothing_is_loaded_where_there_is_no_such_file():
    assert observe_loaded(FakeSystem()) is None


def test_the_loaded_module_is_described_with_its_siblings():
    system = FakeSystem(
        {
            "/proc/driver/nvidia/version": fixture("proc/580.159.04-open.txt"),
            "/sys/module/nvidia/taint": "OE\n",
            "/sys/module/nvidia_uvm/refcnt": "0\n",
            "/sys/module/nvidiafb_other/refcnt": "0\n",
        }
    )
    loaded = observe_loaded(system)
    assert loaded == {"version": "580.159.04", "flavour": "open", "taints": "OE", "modules": ["nvidia", "nvidia_uvm"]}


def test_debian_s_renamed_module_is_found_and_read_through_its_small_sibling():
    system = FakeSystem(
        {
            f"{FOLDER}/nvidia-current.ko": b"large",
            f"{FOLDER}/nvidia-current-modeset.ko": module_file(signer="DKMS module signing key"),
        }
    )
    assert observe_on_disk(system, K) == {
        "name": "nvidia-current",
        "path": f"{FOLDER}/nvidia-current.ko",
        "version": "535.261.03",
        "flavour": "proprietary",
        "signer": "DKMS module signing key",
    }


def test_a_compressed_open_module_without_a_signature_is_read():
    system = FakeSystem({f"{FOLDER}/nvidia.ko.xz": lzma.compress(module_file("550.163.01", "Dual MIT/GPL"))})
    disk = observe_on_disk(system, K)
    assert (disk["version"], disk["flavour"], disk["signer"]) == ("550.163.01", "open", None)


def test_a_module_in_an_unusual_folder_is_found_where_depmod_found_it():
    base = f"/lib/modules/{K}"
    files = {
        f"{base}/modules.dep": "extra/odd/nvidia-uvm.ko: extra/odd/nvidia.ko\nextra/odd/nvidia.ko:\n",
        f"{base}/extra/odd/nvidia.ko": module_file(),
    }
    assert observe_on_disk(FakeSystem(files), K)["path"] == f"{base}/extra/odd/nvidia.ko"


def test_a_zstd_module_is_asked_of_modinfo():
    answer = "filename: x\nversion:        580.95.05\nlicense:        Dual MIT/GPL\nsigner:         Canonical Ltd.\n"
    system = FakeSystem({f"{FOLDER}/nvidia.ko.zst": b"?"}, commands={("modinfo",): answer})
    disk = observe_on_disk(system, K)
    assert (disk["version"], disk["flavour"], disk["signer"]) == ("580.95.05", "open", "Canonical Ltd.")


def test_a_damaged_module_is_there_without_a_version():
    disk = observe_on_disk(FakeSystem({f"{FOLDER}/nvidia.ko.xz": b"damaged"}), K)
    assert (disk["name"], disk["version"], disk["flavour"]) == ("nvidia", None, "unknown")


@given(st.binary(max_size=300))
def test_no_bytes_break_the_module_parsers(data):
    parse_modinfo(data)
    parse_signer(data)
    parse_modinfo(b"\x7fELF\x02\x01" + data)
    parse_signer(data + MAGIC)


def test_dkms_is_read_from_its_own_tree():
    system = FakeSystem(
        {
            f"{DKMS}/535.261.03/source/dkms.conf": "",
            f"{DKMS}/535.261.03/{K}/x86_64/module/nvidia-current.ko": "",
            f"/lib/modules/{K}/updates/dkms/nvidia-current.ko": "",
            f"{DKMS}/535.261.03/6.1.0-9-amd64/x86_64/module/nvidia-current.ko": "",
            "/var/lib/dkms/zfs/2.1/source/dkms.conf": "",
        },
        links={f"{DKMS}/kernel-{K}-x86_64": f"535.261.03/{K}/x86_64"},
    )
    assert [(row["kernel"], row["state"]) for row in observe_dkms(system)] == [
        (K, "installed"),
        ("6.1.0-9-amd64", "built"),
    ]


def test_a_source_that_nothing_was_built_from_is_added():
    (row,) = observe_dkms(FakeSystem({f"{DKMS}/535.261.03/source/dkms.conf": ""}))
    assert (row["version"], row["kernel"], row["state"]) == ("535.261.03", None, "added")


def test_a_source_that_is_gone_is_broken():
    system = FakeSystem({}, {f"{DKMS}/535.261.03/source": "/usr/src/nvidia-current-535.261.03"})
    (row,) = observe_dkms(system)
    assert (row["version"], row["kernel"], row["state"]) == ("535.261.03", None, "broken")


def test_of_two_libraries_the_one_that_the_link_names_is_used():
    folder = "/usr/lib/x86_64-linux-gnu"
    files = {f"{folder}/libnvidia-ml.so.{version}": "" for version in ("535.261.03", "580.95.05")}
    system = FakeSystem(files, {f"{folder}/libnvidia-ml.so.1": "libnvidia-ml.so.580.95.05"})
    assert observe_library(system) == {"version": "580.95.05", "path": f"{folder}/libnvidia-ml.so.580.95.05"}


def test_the_library_is_the_one_that_the_loader_finds_first():
    system = FakeSystem(
        {
            "/etc/ld.so.conf.d/a.conf": "# comment\n/opt/nv/lib\n",
            "/opt/nv/lib/libnvidia-ml.so.580.159.04": "",
            "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.535.261.03": "",
        }
    )
    assert observe_library(system) == {"version": "580.159.04", "path": "/opt/nv/lib/libnvidia-ml.so.580.159.04"}


def test_nouveau_is_seen_loaded_bound_and_blacklisted():
    system = FakeSystem({"/sys/module/nouveau/refcnt": "1", "/etc/modprobe.d/x.conf": "blacklist nouveau\n"})
    pci = [{"address": "0000:01:00.0", "driver": "nouveau"}]
    assert observe_others(system, pci) == {"loaded": ["nouveau"], "bound": ["0000:01:00.0"], "blacklisted": True}
    assert observe_others(FakeSystem({"/etc/modprobe.d/x.conf": "# blacklist nouveau\n"}), [])["blacklisted"] is False


def test_an_empty_machine_starts_no_program():
    system = FakeSystem()
    kernel = {"running": K, "next": K, "installed": []}
    seen = observe(system, None, kernel, "apt")
    assert seen["install"] == {"method": "none", "packages": [], "runfile": None}
    assert (seen["loaded"], seen["library"], seen["on_disk"], seen["dkms"]) == (None, None, {K: None}, [])
    assert system.ran == []
