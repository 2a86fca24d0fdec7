"""The boot menu of a machine: GRUB's settings, and the menu until update-grub inside the host makes the usual one."""

from __future__ import annotations

ROOT_UUID = "6a1f3c0e-51b7-4c2e-9d43-0c1ab5ec0001"
# A machine that gets little of the processor must not give up: neither the kernel by a panic when its timer seems not
# to tick, nor systemd because a device or a service is late.
# Linux keeps out of the highest 256 MiB, which are the firmware's and the boot loader's. QEMU remembers across a reset
# the code that it has translated, page by page: where Linux had run code in what is the firmware's stack at the next
# boot, each push on that stack would look through all of it, and the machine stand still for many minutes.
COMMAND_LINE = "console=ttyS0,115200 no_timer_check mem=1792M"


def files(words: str = "") -> dict[str, str]:
    """{path: text}

    :param words: more for the kernel's command line
    """
    line = f"{COMMAND_LINE} {words}".strip()
    # Debian's own two links point to the newest installed kernel, so a new kernel is booted without a word from here.
    menu = f"""set timeout=0
menuentry 'Debian GNU/Linux' {{
    search --no-floppy --fs-uuid --set=root {ROOT_UUID}
    linux /vmlinuz root=UUID={ROOT_UUID} ro {line} quiet
    initrd /initrd.img
}}
"""
    settings = f"""GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=Debian
GRUB_TERMINAL=console
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX="{line}"
"""
    return {"etc/default/grub": settings, "boot/grub/grub.cfg": menu}
