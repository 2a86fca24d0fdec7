# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches the IOMMU on in the kernel's command line, through the boot loader that the host has."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# What the kernel is told by the processor's maker. AMD's IOMMU is on wherever the firmware has it on.
WORDS = {"intel": ["intel_iommu=on", "iommu=pt"], "amd": ["amd_iommu=on", "iommu=pt"]}
MAKERS = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "amd"}
MAKER = re.compile(r"^vendor_id\s*:\s*(\S+)", re.M)
DROP_IN = "/etc/default/grub.d/gpufleet-iommu.cfg"
PLAIN = "/etc/kernel/cmdline"  # systemd-boot's, such as Proxmox VE's on ZFS
PATIENCE = 300

# cpu: intel, amd or None; works: whether an IOMMU is in use; running: words of the command line
# loader: grub | grubby | proxmox | None; written: whether the next boot's command line has the words; text: of PLAIN
Iommu = namedtuple("Iommu", "cpu works running loader written text")


def maker(text):
    """intel, amd or None, from /proc/cpuinfo."""
    found = MAKER.search(text or "")
    return MAKERS.get(found[1]) if found else None


def loader(system):
    """What the kernel's command line is set with."""
    if system.read(PLAIN) is not None and system.which("proxmox-boot-tool"):
        return "proxmox"
    if system.which("update-grub"):
        return "grub"
    return "grubby" if system.which("grubby") else None


def drop_in(words):
    return (
        "# Managed by gpufleet.nvidia, module iommu: changes made here are lost.\n"
        f'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {" ".join(words)}"\n'
    )


def is_written(system, way, words):
    """Whether the command line of the next boot has the words."""
    if way == "grub":
        return system.read(DROP_IN) == drop_in(words)
    if way == "proxmox":
        return set(words) <= set((system.read(PLAIN) or "").split())
    if way == "grubby":
        told = system.run(["grubby", "--info=ALL"], timeout=PATIENCE)
        lines = re.findall(r'^args="(.*)"$', told.out, re.M)
        return told.rc == 0 and bool(lines) and all(set(words) <= set(line.split()) for line in lines)
    return False


def observe(system):
    cpu, way = maker(system.read("/proc/cpuinfo")), loader(system)
    return Iommu(
        cpu,
        bool(system.entries("/sys/class/iommu")),
        (system.read("/proc/cmdline") or "").split(),
        way,
        is_written(system, way, WORDS.get(cpu, [])),
        (system.read(PLAIN) or "").strip() if way == "proxmox" else None,
    )


def plan(state, iommu):
    """Sentences of what is to be done; one at most.

    :raises NvidiaError: where it cannot be switched on from here
    """
    if state == "absent":
        return ["Take the IOMMU out of the kernel's command line"] if iommu.written else []
    if iommu.works:
        return []
    if iommu.cpu is None:
        raise NvidiaError("The processor is neither Intel's nor AMD's: how its IOMMU is switched on is not known here.")
    words = WORDS[iommu.cpu]
    if set(words) <= set(iommu.running):
        name = "VT-d" if iommu.cpu == "intel" else "AMD-Vi (IOMMU)"
        raise NvidiaError(
            f"The kernel was started with {' '.join(words)}, and there is no IOMMU all the same. Switch {name} on in"
            " the firmware's settings; in a virtual machine its host decides."
        )
    if iommu.loader is None:
        raise NvidiaError(
            "The boot loader is not known: there is no update-grub, grubby or proxmox-boot-tool. Add"
            f" {' '.join(words)} to the kernel's command line yourself, and reboot."
        )
    return [] if iommu.written else [f"Add {' '.join(words)} to the kernel's command line"]


def command(system, *argv):
    told = system.run(list(argv), timeout=PATIENCE)
    if told.rc:
        words = (told.err.strip() or told.out.strip() or f"it ended with {told.rc}").splitlines()[-1]
        raise NvidiaError(f"{' '.join(argv)} failed: {words}. The command line of the next boot may lack the IOMMU.")


def carry_out(system, state, iommu):
    words = WORDS.get(iommu.cpu, [])
    if iommu.loader == "grub":
        if state == "absent":
            system.remove(DROP_IN)
        else:
            system.write(DROP_IN, drop_in(words))
        command(system, "update-grub")
    elif iommu.loader == "grubby":
        option = "--remove-args" if state == "absent" else "--args"
        command(system, "grubby", "--update-kernel=ALL", f"{option}={' '.join(words)}")
    else:
        kept = [word for word in iommu.text.split() if word not in words]
        system.write(PLAIN, " ".join(kept if state == "absent" else [*kept, *words]) + "\n")
        command(system, "proxmox-boot-tool", "refresh")


def ensure(params, system, *, apply):
    """The result of the module `iommu`; see its RETURN."""
    before = observe(system)
    steps = plan(params["state"], before)
    if apply and steps:
        carry_out(system, params["state"], before)
    written = params["state"] == "enabled" and (before.written or bool(steps))
    return {
        "changed": bool(steps),
        "steps": steps,
        "works": before.works,
        "reboot_required": written and not before.works,
        "diff": {"before": {"command_line": before.written}, "after": {"command_line": written}},
    }
