# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels: which runs, which are installed, and which one boots next."""

from __future__ import annotations

import re

MODULES = "/lib/modules"
IMAGES = ("vmlinuz-{0}", "vmlinux-{0}", "Image-{0}")
INITRAMFS = ("initrd.img-{0}", "initramfs-{0}.img", "initrd-{0}")


def version_key(release):
    """Sorts kernel releases as numbers where they are numbers: 6.1.0-9 comes before 6.1.0-10."""
    words = re.findall(r"\d+|[a-zA-Z]+", release)
    return [(1, int(word), "") if word.isdigit() else (0, 0, word) for word in words]


def parse_default(text):
    """The value of GRUB_DEFAULT in /etc/default/grub; ``0`` when it is not set."""
    found = re.findall(r"""^\s*GRUB_DEFAULT\s*=\s*["']?([^"'\n]*)["']?""", text or "", flags=re.M)
    return found[-1].strip() if found else "0"


def parse_environment(text):
    """grubenv's ``name=value`` lines; the block is filled up with #."""
    pairs = (line.split("=", 1) for line in (text or "").splitlines() if "=" in line and not line.startswith("#"))
    return dict(pairs)


def release_in(entry, releases):
    """The kernel release that a menu entry's title or id names, or None."""
    named = [release for release in releases if release in (entry or "")]
    return max(named, key=len) if named else None


def next_kernel(releases, default, environment):
    """(release, source): source is ``grub`` when an entry names the kernel, else ``newest``.

    :param releases: releases of the installed kernels that have an image
    :param default: GRUB_DEFAULT
    :param environment: grubenv; ``next_entry`` counts first, ``saved_entry`` where GRUB_DEFAULT says saved
    """
    if not releases:
        return None, None
    entry = environment.get("next_entry") or (environment.get("saved_entry") if default == "saved" else default)
    named = release_in(entry, releases)
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
    environment = parse_environment(system.read("/boot/grub/grubenv") or system.read("/boot/grub2/grubenv"))
    following, source = next_kernel(bootable, parse_default(system.read("/etc/default/grub")), environment)
    return {
        "running": running,
        "next": following or running,
        "next_source": source or "running",
        "installed": installed,
    }
