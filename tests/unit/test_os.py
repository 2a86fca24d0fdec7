from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt_sources as apt_sources
from ansible_collections.gpufleet.nvidia.plugins.module_utils._os import (
    SECURE_BOOT,
    container,
    hypervisor,
    observe,
    package_manager,
    parse_os_release,
    secure_boot,
)
from tests.unit.fake_system import FakeSystem

DEB822 = """# a comment
Types: deb deb-src
URIs: https://deb.example.org/debian
Suites: bookworm bookworm-updates
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://off.example.org/
Suites: bookworm
Components: main
Enabled: no
"""


@pytest.mark.parametrize(
    ("distribution", "like", "expected"),
    [
        ("debian", [], "apt"),
        ("linuxmint", ["ubuntu", "debian"], "apt"),
        ("rocky", ["rhel", "centos", "fedora"], "dnf"),
        ("sles", ["suse"], "zypper"),
        ("arch", [], "pacman"),
        ("plan9", [], None),
    ],
)
def test_the_package_manager_follows_from_the_family(distribution, like, expected):
    assert package_manager(distribution, like) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"/run/systemd/container": "systemd-nspawn\n"}, "systemd-nspawn"),
        ({"/proc/1/environ": "PATH=/bin\0container=lxc\0"}, "lxc"),
        ({"/.dockerenv": ""}, "docker"),
        ({"/run/.containerenv": ""}, "podman"),
        ({"/proc/1/environ": "PATH=/bin\0KUBERNETES_SERVICE_HOST=10.0.0.1\0"}, "kubernetes"),
    ],
)
def test_containers_are_told_apart(files, expected):
    assert container(FakeSystem(files)) == expected


@pytest.mark.parametrize(
    ("vendor", "product", "flags", "expected"),
    [
        ("Dell Inc.", "PowerEdge R750", "fpu vme", None),
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "hypervisor", "kvm"),
        ("VMware, Inc.", "VMware7,1", "hypervisor", "vmware"),
        ("Microsoft Corporation", "Virtual Machine", "hypervisor", "hyperv"),
        ("Amazon EC2", "p5.48xlarge", "hypervisor", "kvm"),
        ("Amazon EC2", "g4dn.metal", "fpu", None),
        ("", "", "fpu hypervisor", "unknown"),
    ],
)
def test_hypervisors_are_told_by_the_firmware_and_the_processor(vendor, product, flags, expected):
    files = {
        "/sys/class/dmi/id/sys_vendor": vendor,
        "/sys/class/dmi/id/product_name": product,
        "/proc/cpuinfo": f"processor : 0\nflags : {flags}\n",
    }
    assert hypervisor(FakeSystem(files)) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "unsupported"),
        ({"/sys/firmware/efi/fw_platform_size": "64"}, "unknown"),
        ({SECURE_BOOT: b"\x06\0\0\0\x01"}, "enabled"),
        ({SECURE_BOOT: b"\x06\0\0\0\x00"}, "disabled"),
        ({"/sys/firmware/efi/efivars/Other-1": b""}, "disabled"),
    ],
)
def test_secure_boot_is_read_from_the_firmware_s_variable(files, expected):
    assert secure_boot(FakeSystem(files)) == expected


def test_enabled_deb822_entries_are_listed_by_suite():
    entries = apt_sources.parse_deb822(DEB822, "/x.sources")
    assert [entry["suite"] for entry in entries] == ["bookworm", "bookworm-updates"]
    assert entries[0]["components"] == ["main", "non-free-firmware"]
    assert entries[0]["signed_by"] == "/usr/share/keyrings/debian-archive-keyring.gpg"


def test_one_line_entries_are_read_with_and_without_options():
    text = (
        "deb [arch=amd64 signed-by=/k.gpg] https://a.example.org/x stable main contrib # why\n"
        "deb https://b.example.org/debian bookworm main\n"
        "#deb https://c.example.org/ x main\n"
        "deb-src https://b.example.org/debian bookworm main\n"
        "deb [broken https://d.example.org\n"
    )
    first, second = apt_sources.parse_list(text, "/x.list")
    assert (first["uris"], first["suite"], first["signed_by"]) == (["https://a.example.org/x"], "stable", "/k.gpg")
    assert (second["components"], second["signed_by"]) == (["main"], None)


@given(st.text())
def test_no_text_breaks_the_parsers(text):
    parse_os_release(text)
    apt_sources.parse_deb822(text, "x")
    apt_sources.parse_list(text, "x")


def test_a_machine_without_any_of_it_has_values_all_the_same():
    system = observe(FakeSystem(), "3.11", 0)
    assert (system["distribution"], system["package_manager"], system["service_manager"]) == ("unknown", None, None)
