# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches the IOMMU on in the kernel's command line, through the boot loader that the host has."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._grub import CONFIGURATIONS
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# What the kernel is told by the processor's maker. AMD's IOMMU is on wherever the firmware has it on.
WORDS = {"intel": ["intel_iommu=on", "iommu=pt"], "amd": ["amd_iommu=on", "iommu=pt"]}
MAKERS = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "amd"}
MAKER = re.compile(r"^vendor_id\s*:\s*(\S+)", re.M)
NAMES = ("intel_iommu", "amd_iommu", "iommu")
SETTINGS, DROP_INS = "/etc/default/grub", "/etc/default/grub.d"
DROP_IN = f"{DROP_INS}/gpufleet-iommu.cfg"
SET = re.compile(r"^\s*(?:export\s+)?GRUB_CMDLINE_LINUX(?:_DEFAULT)?\s*=(.*)$", re.M)
# What GRUB has made of them; other systems' kernels have sections of their own.
SECTION = re.compile(r"^### BEGIN /etc/grub\.d/10_linux ###$(.*?)^### END ", re.M | re.S)
LINE = re.compile(r"^\s*linux\S*\s+(.*)$", re.M)
RESCUE = {"single", "recovery"}
PLAIN = "/etc/kernel/cmdline"  # systemd-boot's, such as Proxmox VE's on ZFS
PATIENCE = 300

# cpu: intel, amd or None; works: whether an IOMMU is in use; running: words of the command line
# loader: grub | grubby | proxmox | None; written: whether every command line of the next boot has the words
# ours: whether there is something of this module's to be taken away
Iommu = namedtuple("Iommu", "cpu works running loader written ours")


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


def coming(system):
    """[[word]]: the command lines that kernels of this system get at the next boot; [] where nobody can tell.

    GRUB's entries for a rescue are not among them: they get GRUB_CMDLINE_LINUX alone.
    """
    if loader(system) == "proxmox":
        return [system.read(PLAIN).split()]
    text = next(filter(None, map(system.read, CONFIGURATIONS)), "")
    section = SECTION.search(text)
    lines = [line.split() for line in LINE.findall(section[1] if section else text)]
    return [words for words in lines if not RESCUE & set(words)]


def about(words):
    """Those of a command line's words that are about an IOMMU."""
    return [word for word in words if word.partition("=")[0] in NAMES]


def next_boot(system):
    """The words about an IOMMU that every kernel of this system gets at the next boot; None where nobody can tell."""
    lines = coming(system)
    shared = [word for word in lines[0] if all(word in line for line in lines)] if lines else []
    return about(shared) if lines else None


def declared(system):
    """The words that GRUB's settings ask for."""
    names = [f"{DROP_INS}/{name}" for name in system.entries(DROP_INS) if name.endswith(".cfg")]
    texts = [system.read(path) or "" for path in (SETTINGS, *names)]
    return {word for text in texts for value in SET.findall(text) for word in re.split(r"[\s\"']+", value)}


def is_written(system, way, words):
    """Whether the command lines of the next boot have the words, and those of kernels to come would have them."""
    if way == "grub":
        as_ours = system.read(DROP_IN) in (None, drop_in(words))
        return as_ours and set(words) <= declared(system) and all(set(words) <= set(line) for line in coming(system))
    if way == "proxmox":
        return set(words) <= set((system.read(PLAIN) or "").split())
    if way == "grubby":
        told = system.run(["grubby", "--info=ALL"], timeout=PATIENCE)
        lines = re.findall(r'^args="(.*)"$', told.out, re.M)
        return told.rc == 0 and bool(lines) and all(set(words) <= set(line.split()) for line in lines)
    return False


def observe(system):
    cpu, way = maker(system.read("/proc/cpuinfo")), loader(system)
    written = is_written(system, way, WORDS.get(cpu, []))
    return Iommu(
        cpu,
        bool(system.entries("/sys/class/iommu")),
        (system.read("/proc/cmdline") or "").split(),
        way,
        written,
        system.exists(DROP_IN) if way == "grub" else written,
    )


def plan(state, iommu):
    """Sentences of what is to be done; one at most.

    :raises NvidiaError: where it cannot be switched on from here
    """
    if state == "absent":
        return ["Take the IOMMU out of the kernel's command line"] if iommu.ours else []
    words = WORDS.get(iommu.cpu, [])
    if iommu.works:
        had = bool(words) and set(words) <= set(iommu.running)
        says = f"Add {' '.join(words)} to the kernel's command line again, which would lack it at the next boot"
        return [says] if had and iommu.loader and not iommu.written else []
    if iommu.cpu is None:
        raise NvidiaError("The processor is neither Intel's nor AMD's: how its IOMMU is switched on is not known here.")
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
        raise NvidiaError(
            f"{' '.join(argv)} failed: {words}. Mend that and run again; until then the"
            " command line of the next boot may lack the IOMMU."
        )


def replace(system, path, text, *argv):
    """Has a file hold a text, or be gone for None, and the boot loader read it.

    :raises NvidiaError: when the boot loader's program fails; the file is as it was
    """
    before, mode = system.read(path), (system.stat(path) or [0o644])[0]
    _put(system, path, text, mode)
    try:
        command(system, *argv)
    except NvidiaError as exc:
        _put(system, path, before, mode)
        raise NvidiaError(f"{exc} {path} is as it was.") from exc


def _put(system, path, text, mode):
    if text is None:
        system.remove(path)
    else:
        system.write(path, text, mode)


def carry_out(system, state, iommu):
    words = WORDS.get(iommu.cpu, [])
    if iommu.loader == "grub":
        replace(system, DROP_IN, None if state == "absent" else drop_in(words), "update-grub")
    elif iommu.loader == "grubby":
        option = "--remove-args" if state == "absent" else "--args"
        command(system, "grubby", "--update-kernel=ALL", f"{option}={' '.join(words)}")
    else:
        kept = [word for word in (system.read(PLAIN) or "").split() if word not in words]
        text = " ".join(kept if state == "absent" else [*kept, *words]) + "\n"
        replace(system, PLAIN, text, "proxmox-boot-tool", "refresh")


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
        "files": [DROP_IN] if system.exists(DROP_IN) else [],
        "diff": {"before": {"command_line": before.written}, "after": {"command_line": written}},
    }
