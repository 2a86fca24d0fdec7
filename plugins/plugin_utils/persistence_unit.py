# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit of nvidia-persistenced as text: the wanted command line, the drop-in that brings it, a unit of our own."""

from __future__ import annotations

from typing import Any

FOLDER = "/etc/systemd/system"
MARK = "# Written by the Ansible role gpufleet.nvidia.persistenced; changes made here are lost."
USER = "nvidia-persistenced"
DAEMON = "/usr/bin/nvidia-persistenced"

# systemd looks at a condition once, when the unit's turn comes, and udev loads the driver in its own time: on a slow
# boot the condition would be false on a machine full of GPUs, and the daemon would stay off. So the module is loaded
# first: modprobe@.service ends when that is done, GPUs included, and says nothing where there is no GPU or no driver.
# systemd before 245 has no such unit and ignores both lines; there the module is loaded by what its packages set up.
BOOT = """\
# Quiet on a boot without GPU: the driver lists its GPUs here. It is loaded first: a slow boot is not one without GPU.
Wants=modprobe@nvidia.service
After=modprobe@nvidia.service
ConditionDirectoryNotEmpty=/proc/driver/nvidia/gpus
"""
OWN_UNIT = """\
{mark}
[Unit]
Description=NVIDIA Persistence Daemon
{boot}
[Service]
Type=forking
ExecStart={command}
ExecStopPost=/bin/rm -rf /var/run/nvidia-persistenced

[Install]
WantedBy=multi-user.target
"""


def drop_in_path(unit: str) -> str:
    """After every drop-in with a usual name: the last ExecStart= of them all wins."""
    return f"{FOLDER}/{unit}.d/zz-gpufleet.conf"


def link_path(unit: str) -> str:
    return f"{FOLDER}/multi-user.target.wants/{unit}"


def drop_in_text(command: str | None) -> str:
    """The drop-in's content; *command* is None where the unit's own command line is right.

    StopWhenUnneeded=false is the default, but Ubuntu's unit says otherwise.
    """
    service = f"\n[Service]\nExecStart=\nExecStart={command}\n" if command else ""
    return f"{MARK}\n[Unit]\n{BOOT}StopWhenUnneeded=false\n{service}"


def own_command(daemon: str | None) -> str:
    return f"{daemon or DAEMON} --user {USER} --persistence-mode --verbose"


def own_unit_text(command: str) -> str:
    return OWN_UNIT.format(mark=MARK, boot=BOOT, command=command)


def wanted_command(packaged: str, wants: dict[str, Any]) -> str:
    """The command line *packaged* with persistence mode on, and with what *wants* says of ``uvm_enabled`` and ``user``.

    What is null in *wants* stays as it was packaged. A line that is right comes back as it is.
    """
    words = ["--persistence-mode" if word == "--no-persistence-mode" else word for word in packaged.split()]
    if wants["uvm_enabled"] is not None:
        opposite = "--no-uvm-persistence-mode" if wants["uvm_enabled"] else "--uvm-persistence-mode"
        words = [word for word in words if word != opposite]
        if wants["uvm_enabled"] and "--uvm-persistence-mode" not in words:
            words.append("--uvm-persistence-mode")
    if wants["user"] and wants["user"] != user_of(packaged):
        words = [*_without_user(words), "--user", str(wants["user"])]
    return " ".join(words)


def user_of(command: str) -> str | None:
    """The user that a command line of the daemon names; None: it runs as root."""
    words = command.split()
    found = None
    for number, word in enumerate(words):
        if word in ("-u", "--user") and number + 1 < len(words):
            found = words[number + 1]
        elif word.startswith("--user="):
            found = word[len("--user=") :]
    return found


def _without_user(words: list[str]) -> list[str]:
    kept, skip = [], False
    for word in words:
        if skip or word.startswith("--user="):
            skip = False
        elif word in ("-u", "--user"):
            skip = True
        else:
            kept.append(word)
    return kept


def same_command(one: str | None, other: str | None) -> bool:
    return (one or "").split() == (other or "").split()


def command_of(texts: list[str]) -> str | None:
    """The command line that a unit file and its drop-ins, in their order, add up to; None: they name none."""
    command = None
    for text in texts:
        for line in _lines(text):
            if line.startswith("ExecStart="):
                command = line[len("ExecStart=") :].strip() or None
    return command


def has_install_section(text: str) -> bool:
    return "[Install]" in _lines(text)


def _lines(text: str) -> list[str]:
    """Lines without comments; a line that ends in a backslash goes on in the next."""
    return [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()[:1] not in ("", "#", ";")]
