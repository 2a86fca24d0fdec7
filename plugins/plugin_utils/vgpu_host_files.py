# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the role lays down on a vGPU host: modprobe's, the restore unit, its program and what it restores."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_files import OTHER_DRIVERS, absent, present

MODPROBE = "/etc/modprobe.d/gpufleet-nvidia-vgpu.conf"
STATE = "/etc/gpufleet/vgpu-host.json"
PROGRAM = "/usr/local/lib/gpufleet/vgpu-restore"
UNIT = "/etc/systemd/system/gpufleet-vgpu-restore.service"
FILES = ("__main__.py", "machine.py", "vgpu_cards.py")
HEADER = "Managed by gpufleet.nvidia, role vgpu_host: changes made here are lost."
# The driver's key RmPVMRL, as NVIDIA's vGPU user guide has it.
SCHEDULERS = {"best_effort": "0x00", "equal_share": "0x01", "fixed_share": "0x11"}
# Whatever starts virtual machines waits until their virtual GPUs are there.
BEFORE = "libvirtd.service virtqemud.service libvirt-guests.service pve-guests.service nova-compute.service"
AFTER = "systemd-modules-load.service nvidia-vgpud.service nvidia-vgpu-mgr.service pve-nvidia-sriov@ALL.service"


def modprobe_text(scheduler: str | None) -> str:
    lines = [f"# {HEADER}", *(f"blacklist {name}" for name in OTHER_DRIVERS), "options nouveau modeset=0"]
    lines.append("alias nouveau off")
    if scheduler in SCHEDULERS:
        lines.append(f'options nvidia NVreg_RegistryDwords="RmPVMRL={SCHEDULERS[scheduler]}"')
    return "\n".join(lines) + "\n"


def unit_text(seconds: int) -> str:
    """:param seconds: how long the program waits for cards; the unit as a whole takes longer"""
    return f"""\
# {HEADER}
[Unit]
Description=Virtual GPUs of this host, as gpufleet.nvidia declared them
ConditionPathExists={STATE}
Wants=nvidia-vgpud.service nvidia-vgpu-mgr.service
After={AFTER}
Before={BEFORE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 -I -B {PROGRAM}
TimeoutStartSec={seconds + 600}

[Install]
WantedBy=multi-user.target
"""


def module_files(wanted: bool, scheduler: str | None) -> list[dict[str, Any]]:
    return [present(MODPROBE, modprobe_text(scheduler)) if wanted else absent(MODPROBE)]


def state_text(state: dict[str, Any]) -> str:
    return json.dumps({"version": 1, **state}, indent=2, sort_keys=True) + "\n"


def restore_files(state: dict[str, Any] | None, program: dict[str, str]) -> list[dict[str, Any]]:
    """The unit comes last, so that it is never there without the rest.

    :param state: what is to be restored; None: nothing, and the files go
    :param program: the texts of the program's files
    """
    paths = [f"{PROGRAM}/{name}" for name in FILES]
    if state is None:
        return [absent(UNIT), absent(STATE), *(absent(path) for path in paths)]
    texts = [present(f"{PROGRAM}/{name}", program[name]) for name in FILES if name in program]
    return [*texts, present(STATE, state_text(state)), present(UNIT, unit_text(int(state["timeout"])))]
