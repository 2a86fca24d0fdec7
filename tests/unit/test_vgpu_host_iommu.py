"""The IOMMU in the kernel's command line: by processor and boot loader, once, and back again."""

from __future__ import annotations

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _iommu
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from tests.unit.fake_system import FakeSystem

CPU = {"intel": "vendor_id\t: GenuineIntel\n", "amd": "vendor_id\t: AuthenticAMD\n", "arm": "CPU implementer : 0x41\n"}


class Host(FakeSystem):
    """:param way: grub, grubby, proxmox or None"""

    def __init__(self, way="grub", cpu="intel", running="quiet", works=False):
        super().__init__({"/proc/cpuinfo": CPU[cpu], "/proc/cmdline": f"BOOT_IMAGE=/vmlinuz {running}\n"})
        self.words = "ro quiet"
        if works:
            self.files["/sys/class/iommu/dmar0/x"] = ""
        if way == "grub":
            self.files[_iommu.SETTINGS] = 'GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX=""\n'
            self.commands[("update-grub",)] = self.update_grub
            self.update_grub([])
        if way == "grubby":
            self.commands[("grubby",)] = self.grubby
        if way == "proxmox":
            self.files[_iommu.PLAIN] = "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n"
            self.commands[("proxmox-boot-tool", "refresh")] = ""
        self._which |= {argv[0] for argv in self.commands}

    def update_grub(self, argv):
        """Two kernels, and what os-prober has found."""
        words = " ".join(sorted(_iommu.declared(self)))
        line = "\tlinux\t/boot/vmlinuz-6.{} root=UUID=1 ro {}\n"
        kernels = "".join(line.format(number, words) + line.format(number, "single") for number in (1, 12))
        here = f"### BEGIN /etc/grub.d/10_linux ###\n{kernels}### END /etc/grub.d/10_linux ###\n"
        other = "### BEGIN /etc/grub.d/30_os-prober ###\n\tlinux /boot/vmlinuz-5.10 root=UUID=2 ro\n### END /x ###\n"
        self.files["/boot/grub/grub.cfg"] = here + other
        return ""

    def grubby(self, argv):
        for word in argv:
            name, _equals, text = word.partition("=")
            if name == "--args":
                self.words += f" {text}"
            if name == "--remove-args":
                self.words = " ".join(old for old in self.words.split() if old not in text.split())
        return f'index=0\nargs="{self.words}"\nindex=1\nargs="{self.words}"\n'


def ensure(system, state="enabled", apply=True):
    return _iommu.ensure({"state": state}, system, apply=apply)


@pytest.mark.parametrize("way", ["grub", "grubby", "proxmox"])
@pytest.mark.parametrize(("cpu", "word"), [("intel", "intel_iommu=on"), ("amd", "amd_iommu=on")])
def test_it_is_switched_on_once_and_taken_away_again(way, cpu, word):
    system = Host(way, cpu)
    planned = ensure(system, apply=False)
    assert planned["changed"] and planned["reboot_required"] and system.wrote == {}
    assert ensure(system)["steps"] == planned["steps"] == [f"Add {word} iommu=pt to the kernel's command line"]
    again = ensure(system)
    assert not again["changed"] and again["reboot_required"]
    assert ensure(system, "absent")["changed"] and not ensure(system, "absent")["changed"]


def test_the_files_are_what_the_boot_loaders_read():
    grub, plain = Host("grub"), Host("proxmox", "amd")
    ensure(grub)
    ensure(plain)
    assert 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX intel_iommu=on iommu=pt"\n' in grub.files[_iommu.DROP_IN]
    assert plain.files[_iommu.PLAIN] == "root=ZFS=rpool/ROOT/pve-1 boot=zfs amd_iommu=on iommu=pt\n"
    assert grub.ran == [["update-grub"]] and plain.ran == [["proxmox-boot-tool", "refresh"]]


def test_an_iommu_that_works_is_left_alone():
    system = Host(works=True)
    assert ensure(system) == {**ensure(system), "changed": False, "works": True, "reboot_required": False}
    assert system.ran == []


def removed(host):
    del host.files[_iommu.DROP_IN]


def edited(host):
    host.files[_iommu.DROP_IN] += 'GRUB_CMDLINE_LINUX=""\n'


def overtaken(host):
    host.files["/boot/grub/grub.cfg"] = host.files["/boot/grub/grub.cfg"].replace("iommu", "was", 1)


@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("move", [removed, edited, overtaken])
def test_what_the_next_boot_would_lack_is_added_again(move, works):
    host = Host()
    words = {"/proc/cmdline": "BOOT_IMAGE=/vmlinuz intel_iommu=on iommu=pt\n", "/sys/class/iommu/dmar0/x": ""}
    ensure(host)
    if works:
        host.files |= words
    files = dict(host.files)
    assert not ensure(host)["changed"] and _iommu.next_boot(host) == ["intel_iommu=on", "iommu=pt"]
    move(host)
    assert ensure(host)["changed"] and host.files == files and not ensure(host)["changed"]
    move(host)
    host.update_grub([])
    assert _iommu.next_boot(host) == ([] if move is removed else ["intel_iommu=on", "iommu=pt"])


def test_what_somebody_has_written_elsewhere_is_enough_and_stays():
    host = Host(running="intel_iommu=on iommu=pt", works=True)
    host.files[_iommu.SETTINGS] = "GRUB_CMDLINE_LINUX_DEFAULT='intel_iommu=on iommu=pt'\n"
    host.update_grub([])
    for state in ("enabled", "absent"):
        assert not ensure(host, state)["changed"]
    assert ensure(host)["files"] == []


def test_a_drop_in_that_was_edited_is_taken_away_too():
    host = Host()
    assert ensure(host)["files"] == [_iommu.DROP_IN]
    edited(host)
    assert ensure(host, "absent")["changed"] and not host.exists(_iommu.DROP_IN)


def test_where_nobody_can_tell_the_next_boot_nothing_is_told():
    assert _iommu.next_boot(Host("grubby")) is None
    assert _iommu.next_boot(Host("proxmox")) == []


@pytest.mark.parametrize(
    ("system", "words"),
    [
        (Host(running="intel_iommu=on iommu=pt"), "VT-d"),
        (Host(cpu="amd", running="amd_iommu=on iommu=pt"), "AMD-Vi"),
        (Host(None), "boot loader is not known"),
        (Host(cpu="arm"), "neither Intel's nor AMD's"),
    ],
)
def test_what_cannot_be_switched_on_from_here_is_said(system, words):
    with pytest.raises(NvidiaError, match=words):
        ensure(system)
    assert system.wrote == {}


@pytest.mark.parametrize(("way", "program"), [("grub", "update-grub"), ("proxmox", "proxmox-boot-tool")])
def test_a_boot_loader_that_fails_leaves_its_settings_as_they_were(way, program):
    system = Host(way)
    system.commands = {argv: Result(1, "", "grub-probe: error: cannot find a device") for argv in system.commands}
    before = dict(system.files)
    for _again in range(2):  # nor is it taken for done afterwards
        with pytest.raises(NvidiaError, match=rf"{program}.*cannot find a device.*is as it was"):
            ensure(system)
    assert system.files == before


def test_a_boot_loader_s_file_keeps_its_mode():
    system = Host("proxmox")
    system.modes[_iommu.PLAIN] = 0o600
    assert ensure(system)["changed"] and system.modes[_iommu.PLAIN] == 0o600
