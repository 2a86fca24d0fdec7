"""What GRUB boots next, from the files that it reads itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._grub import (
    chosen,
    observe,
    parse_default,
    parse_environment,
    parse_loader_entry,
    parse_menu,
    parse_setting,
)
from ansible_collections.gpufleet.nvidia.plugins.module_utils._kernel import observe as observe_kernels
from ansible_collections.gpufleet.nvidia.plugins.module_utils._kernel import version_key
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem

OLD, NEW = "6.1.0-9-amd64", "6.1.0-41-amd64"
DEBIAN, RHEL = fixture("grub/2.06-debian-two-kernels.txt"), fixture("grub/2.06-rhel9.txt")
RHEL_NEW, RHEL_OLD = "5.14.0-503.14.1.el9_5.x86_64", "5.14.0-427.el9.x86_64"


@pytest.mark.parametrize(
    ("value", "release"),
    [
        ("0", NEW),
        ("1", NEW),  # the first entry of the submenu
        ("1>2", OLD),
        ("Debian GNU/Linux", NEW),
        ("Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 6.1.0-9-amd64", OLD),
        ("gnulinux-advanced-0f0e0d0c>gnulinux-6.1.0-9-amd64-advanced-0f0e0d0c", OLD),
        ("2", None),  # the firmware's set-up
        ("7", None),
        ("gone", None),
    ],
)
def test_an_entry_is_found_by_number_title_and_id(value, release):
    assert chosen(parse_menu(DEBIAN), value) == release


def test_the_default_is_read_from_the_configuration_that_grub_reads():
    assert parse_default(DEBIAN) == "0"
    assert parse_default(RHEL) == "saved"
    assert parse_default("") is None
    assert parse_setting('GRUB_TIMEOUT=5\nGRUB_DEFAULT="saved"\n') == "saved"
    assert parse_setting(None) == "0"


def test_the_remembered_entry_is_read():
    block = "# GRUB Environment Block\nsaved_entry=gnulinux\n###########"
    assert parse_environment(block) == {"saved_entry": "gnulinux"}


def kernels(*releases):
    files = {"/proc/sys/kernel/osrelease": f"{releases[0]}\n"}
    for release in releases:
        files.update({f"/lib/modules/{release}/modules.dep": "", f"/boot/vmlinuz-{release}": ""})
    return files


def rhel(**changes):
    texts = {release: fixture("grub/rhel9-entry.txt").replace(RHEL_NEW, release) for release in (RHEL_NEW, RHEL_OLD)}
    entries = {f"/boot/loader/entries/0f0e-{release}.conf": text for release, text in texts.items()}
    return {**kernels(RHEL_NEW, RHEL_OLD), **entries, "/boot/grub2/grub.cfg": RHEL, **changes}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({**kernels(OLD, NEW), "/boot/grub/grub.cfg": DEBIAN}, (NEW, "grub")),
        # /etc/default/grub counts from the next update-grub on, not now
        ({**kernels(OLD, NEW), "/boot/grub/grub.cfg": DEBIAN, "/etc/default/grub": "GRUB_DEFAULT=1>2"}, (NEW, "grub")),
        (
            {**kernels(OLD, NEW), "/boot/grub/grub.cfg": DEBIAN.replace('default="0"', 'default="1>2"')},
            (OLD, "grub"),
        ),
        (
            {**kernels(OLD, NEW), "/boot/grub/grub.cfg": DEBIAN, "/boot/grub/grubenv": "next_entry=1>2\n"},
            (OLD, "grub"),
        ),
        # the entry's kernel is gone
        ({**kernels(OLD), "/boot/grub/grub.cfg": DEBIAN}, (OLD, "newest")),
        ({**kernels(OLD, NEW), "/etc/default/grub": f"GRUB_DEFAULT='x, with Linux {OLD}'"}, (OLD, "grub")),
        (kernels(OLD, NEW), (NEW, "newest")),
        (rhel(), (RHEL_NEW, "grub")),
        (rhel(**{"/boot/grub2/grubenv": f"saved_entry=0f0e-{RHEL_OLD}\n"}), (RHEL_OLD, "grub")),
        (rhel(**{"/boot/grub2/grubenv": "saved_entry=1\n"}), (RHEL_OLD, "grub")),
    ],
)
def test_the_kernel_that_boots_next(files, expected):
    seen = observe_kernels(FakeSystem(files))
    assert (seen["next"], seen["next_source"]) == expected


def test_an_entry_of_the_boot_loader_specification():
    entry = parse_loader_entry(fixture("grub/rhel9-entry.txt"), "0f0e")
    assert (entry["release"], entry["id"]) == (RHEL_NEW, "0f0e")


@given(st.text() | st.lists(st.sampled_from(DEBIAN.splitlines())).map("\n".join), st.text())
def test_no_text_breaks_the_parsers(text, value):
    parse_setting(text)
    parse_default(text)
    parse_environment(text)
    parse_loader_entry(text, "x")
    chosen(parse_menu(text), value)
    chosen(parse_menu(DEBIAN), text)


@given(st.integers(0, 10**6))
def test_no_number_leaves_the_menu(number):
    assert chosen(parse_menu(DEBIAN), f"{number}>{number}") in (None, NEW, OLD)


def test_a_machine_without_grub_has_no_menu():
    assert observe(FakeSystem(), version_key) == ([], "0", {})
