# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs hold the GPUs: they keep old modules loaded, and break when libraries change under them."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._preflight_findings import finding, listed

DEVICE = re.compile(r"/dev/nvidia(\d+|ctl|-uvm|-uvm-tools|-modeset|-caps/.*|-nvswitch.*)")
DRI = re.compile(r"/dev/dri/((?:card|renderD)\d+)")
OWN = ("nvidia-persiste",)  # what the kernel calls nvidia-persistenced: names are cut after 15 characters

Holder = namedtuple("Holder", "pid program user devices")


def nvidia_dri(system):
    """Names of DRM devices, such as card1, that are NVIDIA's cards; a management controller's is not."""
    names = system.entries("/sys/class/drm")
    return {
        name
        for name in names
        if (system.read(f"/sys/class/drm/{name}/device/vendor") or "").strip().lower() == "0x10de"
    }


def parse_users(text):
    """{uid: name} from /etc/passwd."""
    rows = [line.split(":") for line in (text or "").splitlines()]
    return {int(row[2]): row[0] for row in rows if len(row) > 2 and row[2].isdigit()}


def devices(system, pid, dri):
    """Sorted paths of the GPU's device nodes that a process has open."""
    found = set()
    for fd in system.entries(f"/proc/{pid}/fd"):
        target = system.link(f"/proc/{pid}/fd/{fd}") or ""
        drm = DRI.fullmatch(target)
        if DEVICE.fullmatch(target) or (drm and drm.group(1) in dri):
            found.add(target)
    return sorted(found)


def observe(system):
    """[Holder] by process."""
    dri, users = nvidia_dri(system), parse_users(system.read("/etc/passwd"))
    found = []
    for pid in sorted((name for name in system.entries("/proc") if name.isdigit()), key=int):
        open_devices = devices(system, pid, dri)
        if open_devices:
            program = (system.read(f"/proc/{pid}/comm") or "").strip() or "unknown program"
            status = system.stat(f"/proc/{pid}")
            user = users.get(status[1], str(status[1])) if status else "unknown user"
            found.append(Holder(int(pid), program, user, open_devices))
    return found


def check(system, params):
    """Findings about programs on the GPUs, as grave as ``holders`` says; the persistence daemon is the roles' own."""
    found = [holder for holder in observe(system) if holder.program not in OWN]
    if not found:
        return []
    who = listed([f"{row.program} (process {row.pid} of {row.user}, {listed(row.devices, 3)})" for row in found])
    if params["holders"] == "error":
        text = (
            f"{len(found)} programs hold the GPUs while their driver is to be replaced, and no reboot is allowed:"
            f" {who}. The old modules would stay loaded, and every new program would fail with a driver/library version"
            " mismatch. Stop what holds them, and set nvidia_driver_reboot_ok: true (or reboot the host yourself right"
            " after)."
        )
    else:
        text = (
            f"{len(found)} programs hold the GPUs: {who}. They are never ended by a role; a reboot ends them, and"
            " modules that they use cannot be replaced before. Drain the host first if their work matters."
        )
    text = text.replace("1 programs hold", "1 program holds")
    return [finding(params["holders"], "gpu_held", text, "/proc/*/fd")]
