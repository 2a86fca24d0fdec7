"""The IOMMU that the role has had switched on is in use, and will be at the next boot."""

from __future__ import annotations

import re

WORDS = {"intel_iommu=on", "iommu=pt"}


def test_the_kernel_was_told_and_uses_it(host):
    assert set(host.file("/proc/cmdline").content_string.split()) >= {"intel_iommu=off", *WORDS}
    assert host.check_output("ls /sys/class/iommu") == "dmar0"


def test_every_kernel_of_the_boot_menu_is_told(host):
    menu = host.file("/boot/grub/grub.cfg").content_string
    lines = re.findall(r"^\s*linux\s.*", menu, re.MULTILINE)
    assert lines and all(set(line.split()) >= WORDS for line in lines), menu


def test_it_has_groups_beside_those_of_the_devices(host):
    assert int(host.check_output("ls /sys/kernel/iommu_groups | wc -l")) > len(host.ansible.get_variables()["desks"])
