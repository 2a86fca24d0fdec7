# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a console says when the machine restarts, and when it boots past MokManager."""

from __future__ import annotations

import re

RESTART = re.compile(r"reboot: Restarting system|reboot: machine restart|BdsDxe: (?:loading|starting) Boot")
GRUB = re.compile(r"GNU GRUB +version|Booting `")
LINUX = re.compile(
    r"Linux version \d|EFI stub: |Loading (?:Linux|initial ramdisk) |Run /init as"
    r"|systemd\[1\]: (?:Detected|Hostname set)|Welcome to \S"
)
LOGIN = re.compile(r"^[\w.-]+ login: ", re.MULTILINE)
SIGNS = {"restart": RESTART, "grub": GRUB, "linux": LINUX, "login": LOGIN}


def boot_sign(text: str) -> tuple[str, int] | None:
    """Gives ``restart``, ``grub``, ``linux`` or ``login`` for the last sign in ``text``, and where that ends."""
    signs = [(match.end(), name) for name, sign in SIGNS.items() for match in sign.finditer(text)]
    end, name = max(signs, default=(0, ""))
    return (name, end) if name else None
