# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels: which runs, which are installed, and which one boots next."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _grub as grub

MODULES = "/lib/modules"
IMAGES = ("vmlinuz-{0}", "vmlinux-{0}", "Image-{0}")
INITRAMFS = ("initrd.img-{0}", "initramfs-{0}.img", "initrd-{0}")


def version_key(release):
    """Sorts kernel releases as numbers where they are numbers: 6.1.0-9 comes before 6.1.0-10."""
    words = re.findall(r"\d+|[a-zA-Z]+", release)
    return [(1, int(word), "") if word.isdigit() else (0, 0, word) for word in words]


def release_in(entry, releases):
    """The kernel release that a menu entry's title or id names, or None."""
    named = [release for release in releases if release in (entry or "")]
    return max(named, key=len) if named else None


def next_kernel(releases, menu, default, environment):
    """(release, source): source is ``grub`` when the boot loader's entry names the kernel, else ``newest``.

    :param releases: releases of the installed kernels that have an image
    :param menu: GRUB's entries, as _grub.parse_menu gives them
    :param default: which of them boots: number, title or id, or ``saved``
    :param environment: grubenv; ``next_entry`` counts first, ``saved_entry`` where the default says saved
    """
    if not releases:
        return None, None
    entry = environment.get("saved_entry") if default == "saved" else default
    entry = environment.get("next_entry") or entry or "0"
    named = grub.chosen(menu, entry)
    named = named if named in releases else release_in(entry, releases)
    return (named, "grub") if named else (max(releases, key=version_key), "newest")


def observe_kernel(system, release, boot):
    initramfs = next((f"/boot/{form.format(release)}" for form in INITRAMFS if form.format(release) in boot), None)
    build = f"{MODULES}/{release}/build"
    return {
        "release": release,
        "image": any(form.format(release) in boot for form in IMAGES) or system.exists(f"{MODULES}/{release}/vmlinuz"),
        "headers": system.exists(f"{build}/Makefile") or system.exists(f"{build}/include/config/auto.conf"),
        "initramfs": initramfs,
        "initramfs_modified": system.modified(initramfs) if initramfs else None,
    }


def observe(system):
    """The running kernel comes from procfs; one without an image here (a container, an image build) boots nothing."""
    running = (system.read("/proc/sys/kernel/osrelease") or "").strip()
    boot = set(system.entries("/boot"))
    installed = [observe_kernel(system, name, boot) for name in sorted(system.entries(MODULES), key=version_key)]
    bootable = [kernel["release"] for kernel in installed if kernel["image"]]
    following, source = next_kernel(bootable, *grub.observe(system, version_key))
    return {
        "running": running,
        "next": following or running,
        "next_source": source or "running",
        "installed": installed,
    }
