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
            self.commands[("update-grub",)] = ""
        if way == "grubby":
            self.commands[("grubby",)] = self.grubby
        if way == "proxmox":
            self.files[_iommu.PLAIN] = "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n"
            self.commands[("proxmox-boot-tool", "refresh")] = ""
        self._which |= {argv[0] for argv in self.commands}

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


def test_a_boot_loader_that_fails_is_told():
    system = Host()
    system.commands[("update-grub",)] = Result(1, "", "grub-probe: error: cannot find a device")
    with pytest.raises(NvidiaError, match="cannot find a device"):
        ensure(system)
