# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the role lays down on a guest: what keeps other drivers out, and a unit where none came."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_files import DRIVER
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_files import OTHER_DRIVERS, absent, present

PREFERENCES = "/etc/apt/preferences.d/gpufleet-nvidia-guest"
MODPROBE = "/etc/modprobe.d/gpufleet-nvidia-guest.conf"
CONF = "/etc/nvidia/gridd.conf"
UNIT = "/etc/systemd/system/nvidia-gridd.service"
SPARED = "libnvidia-container*"
HEADER = "Managed by gpufleet.nvidia, role vgpu_guest: changes made here are lost."


def preferences_text() -> str:
    """No package of another driver is taken from anywhere: the guest driver comes from a file, and stays.

    The container toolkit's library has a driver's name and is none; of records that match the first one counts.
    """
    spared = f"Package: {SPARED}\nPin: release *\nPin-Priority: 500\n"
    return f"# {HEADER}\n{spared}\nPackage: {DRIVER}\nPin: release *\nPin-Priority: -1\n"


def modprobe_text() -> str:
    lines = [f"# {HEADER}", *(f"blacklist {name}" for name in OTHER_DRIVERS), "options nouveau modeset=0"]
    return "\n".join([*lines, "alias nouveau off"]) + "\n"


def unit_text() -> str:
    """As NVIDIA's own, for a runfile that brought the daemon alone; it also waits for the clock and the network."""
    return f"""\
# {HEADER}
[Unit]
Description=NVIDIA Grid Daemon
Wants=network-online.target
After=network-online.target time-sync.target

[Service]
Type=forking
ExecStart=/usr/bin/nvidia-gridd
ExecStopPost=/bin/rm -rf /var/run/nvidia-gridd

[Install]
WantedBy=multi-user.target
"""


def package_files(manager: str | None, wanted: bool) -> list[dict[str, Any]]:
    """What must be there before anything is installed."""
    if manager != "apt":
        return []
    return [present(PREFERENCES, preferences_text()) if wanted else absent(PREFERENCES)]


def module_files(state: str) -> list[dict[str, Any]]:
    return [present(MODPROBE, modprobe_text()) if state == "present" else absent(MODPROBE)]


def unit_files(state: str, needs_unit: bool) -> list[dict[str, Any]]:
    """:param needs_unit: whether the daemon has no unit but, perhaps, ours"""
    if state == "absent":
        return [absent(UNIT)]
    return [present(UNIT, unit_text())] if needs_unit else []
