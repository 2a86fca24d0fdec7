# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host at the other end of Ansible's connection: speaks on its console, reboots, comes back with a new boot id."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleError

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
# Some seconds later, so that the connection sees the command end.
REBOOT = (
    "if command -v systemd-run > /dev/null && [ -d /run/systemd/system ]; "
    "then systemd-run --quiet --collect --on-active=2 --timer-property=AccuracySec=100ms systemctl reboot; "
    'else [ "$(id -u)" = 0 ] && { (sleep 2; shutdown -r now) > /dev/null 2>&1 < /dev/null & }; fi'
)
# The kernel's consoles, none else: another serial line may have a machine at its end that must not be spoken to.
SPEAK = (
    "for line in console $(cat /sys/class/tty/console/active); do "
    "printf '\\r\\n%s\\r\\n' {mark} 2> /dev/null > /dev/$line; done; true"
)
PAUSE = 3


class HostError(Exception):
    """The host does not do what it has to; the text is a sentence for people."""


class Host:
    """``execute`` runs a shell command over the connection, ``reset`` closes it."""

    def __init__(self, execute: Callable[[str], dict[str, Any]], reset: Callable[[], None]) -> None:
        self._execute, self._reset = execute, reset

    def boot_id(self) -> str:
        answer = self._execute(BOOT_ID)
        if answer["rc"] != 0 or not answer["stdout"].strip():
            raise HostError(f"The host does not tell its boot id ({BOOT_ID}). It was not rebooted.")
        return str(answer["stdout"].strip())

    def speak(self, mark: str) -> None:
        """Writes ``mark`` to every console of the kernel."""
        self._execute(SPEAK.format(mark=mark))

    def reboot(self) -> None:
        answer = self._execute(REBOOT)
        if answer["rc"] != 0:
            said = (answer.get("stderr") or answer.get("stdout") or "it said nothing").strip().split("\n")[-1]
            raise HostError(
                f"The host did not take the order to reboot ({said}). Does the task become root? Nothing was done."
            )

    def wait(self, before: str, timeout: float) -> str:
        """Waits for another boot id than ``before`` and gives it, or "" when ``timeout`` seconds are over."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with suppress(AnsibleError, HostError, OSError):  # that it cannot be reached is what a reboot looks like
                self._reset()
                now = self.boot_id()
                if now != before:
                    return now
            time.sleep(PAUSE)
        return ""
