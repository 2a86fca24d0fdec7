# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which entry GRUB boots: its menu, its default, and the block in which it remembers one.

An entry is ``{title, id, release, entries}``: *release* of the kernel that it boots (None: something else), *entries*
of a submenu.
"""

from __future__ import annotations

import re

CONFIGURATIONS = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
ENVIRONMENTS = ("/boot/grub/grubenv", "/boot/grub2/grubenv")
ENTRIES = "/boot/loader/entries"  # of the Boot Loader Specification, which RHEL's GRUB reads

OPENING = re.compile(r"""\s*(?:menuentry|submenu)\s+(?:'([^']*)'|"([^"]*)")(.*)\{\s*""")
ID = re.compile(r"""(?:\$menuentry_id_option|--id)\s+['"]?([^'"\s]+)""")
KERNEL = re.compile(r"\s*linux(?:16|efi)?\s+\S*/(?:vmlinuz|vmlinux|Image)-(\S+)")
DEFAULT = re.compile(r"""^\s*set\s+default=["']?([^"'\n]*?)["']?\s*$""", flags=re.M)


def parse_setting(text):
    """The value of GRUB_DEFAULT in /etc/default/grub; ``0`` when it is not set."""
    found = re.findall(r"""^\s*GRUB_DEFAULT\s*=\s*["']?([^"'\n]*)["']?""", text or "", flags=re.M)
    return found[-1].strip() if found else "0"


def parse_default(text):
    """The default that grub.cfg sets, ``saved`` for the remembered one; None when it sets none."""
    found = [value for value in DEFAULT.findall(text or "") if value != "${next_entry}"]
    return ("saved" if "saved_entry" in found[-1] else found[-1]) if found else None


def parse_environment(text):
    """grubenv's ``name=value`` lines; the block is filled up with #."""
    pairs = (line.split("=", 1) for line in (text or "").splitlines() if "=" in line and not line.startswith("#"))
    return dict(pairs)


def parse_menu(text):
    """The menu of a grub.cfg as a list of entries."""
    top: list = []
    open_blocks: list = []  # an entry, or None for a function
    for line in (text or "").splitlines():
        entry = OPENING.fullmatch(line)
        if entry:
            named = ID.search(entry[3])
            new: dict = {"title": entry[1] or entry[2] or "", "id": named and named[1], "release": None, "entries": []}
            around = next((block for block in reversed(open_blocks) if block is not None), None)
            (top if around is None else around["entries"]).append(new)
            open_blocks.append(new)
        elif line.rstrip().endswith("{"):
            open_blocks.append(None)
        elif line.strip() == "}" and open_blocks:
            open_blocks.pop()
        elif open_blocks and open_blocks[-1] is not None:
            kernel = KERNEL.match(line)
            open_blocks[-1]["release"] = open_blocks[-1]["release"] or (kernel and kernel[1])
    return top


def parse_loader_entry(text, name):
    """One file of the Boot Loader Specification as an entry; *name* is the file's name without ``.conf``."""
    fields: dict = {}
    for line in (text or "").splitlines():
        key, _space, value = line.strip().partition(" ")
        fields.setdefault(key, value.strip())
    return {"title": fields.get("title", ""), "id": name, "release": fields.get("version"), "entries": []}


def chosen(menu, value):
    """The kernel release that *value* boots, or None.

    :param value: number, title or id of an entry, with ``>`` between the levels
    """
    entry, entries = None, menu
    for word in value.split(">"):
        entry = _find(entries, word.strip())
        if entry is None:
            return None
        entries = entry["entries"]
    while entry is not None and entry["entries"]:
        entry = entry["entries"][0]
    return entry["release"] if entry else None


def _find(entries, word):
    named = next((entry for entry in entries if word and word in (entry["title"], entry["id"])), None)
    if named is None and word.isdecimal() and len(word) < 5 and int(word) < len(entries):
        return entries[int(word)]
    return named


def observe(system, order):
    """(menu, default, environment); the menu is [] where there is no GRUB.

    :param order: sort key of kernel releases: GRUB sorts the entries of the Boot Loader Specification, newest first
    """
    configuration = next(filter(None, map(system.read, CONFIGURATIONS)), None)
    menu, default = parse_menu(configuration), parse_default(configuration)
    if not any(entry["release"] or entry["entries"] for entry in menu):
        names = [name[: -len(".conf")] for name in system.entries(ENTRIES) if name.endswith(".conf")]
        found = [parse_loader_entry(system.read(f"{ENTRIES}/{name}.conf"), name) for name in names]
        menu = sorted((row for row in found if row["release"]), key=lambda row: order(row["release"]), reverse=True)
    environment = parse_environment(next(filter(None, map(system.read, ENVIRONMENTS)), None))
    return menu, default or parse_setting(system.read("/etc/default/grub")), environment
