# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vGPU and its licences want of a machine: an IOMMU that works, and a clock that is right."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils._iommu import about
from ansible_collections.gpufleet.nvidia.plugins.module_utils._preflight_findings import finding

GROUPS = "/sys/kernel/iommu_groups"


def iommu_findings(system):
    """An error when the kernel has no IOMMU groups: then no function can be given to a guest."""
    if system.entries(GROUPS):
        return []
    words = (system.read("/proc/cmdline") or "").split()
    wanted = about(words)
    seen = f"the kernel was started with {' '.join(wanted)}" if wanted else "no iommu option is on its command line"
    text = (
        f"The kernel has no IOMMU groups ({GROUPS} is empty; {seen}), so no GPU can be given to a guest. Enable VT-d"
        " (AMD: IOMMU) in the machine's firmware, add intel_iommu=on iommu=pt (AMD: iommu=pt) to the kernel's command"
        " line, and reboot."
    )
    return [finding("error", "iommu_off", text, GROUPS)]


def parse_timedatectl(text):
    """True, False, or None when the output does not tell."""
    for line in text.splitlines():
        key, _sign, value = line.partition("=")
        if key.strip() == "NTPSynchronized" and value.strip() in ("yes", "no"):
            return value.strip() == "yes"
    return None


def parse_chrony(text):
    """True, False, or None when the output of `chronyc -n tracking` does not tell."""
    for line in text.splitlines():
        key, _colon, value = line.partition(":")
        if key.strip() == "Leap status":
            return value.strip() != "Not synchronised"
    return None


def is_synchronised(system):
    """What the first that knows says about the clock."""
    known = parse_timedatectl(system.run(["timedatectl", "show", "-p", "NTPSynchronized"], timeout=10).out)
    return parse_chrony(system.run(["chronyc", "-n", "tracking"], timeout=10).out) if known is None else known


def clock_findings(system):
    """An error when the clock follows no time server: licences are tokens with a time in them."""
    state = is_synchronised(system)
    if state is None:
        text = (
            "Whether the clock is right could not be read: neither timedatectl nor chronyc answers. Licences are"
            " refused when it is off; have chrony or systemd-timesyncd run."
        )
        return [finding("warning", "clock_unknown", text, "timedatectl")]
    if state:
        return []
    text = (
        "The clock is not synchronised with any time server, and a licence is refused when it is off by more than the"
        " server allows. Enable chrony or systemd-timesyncd (timedatectl set-ntp true) with a server that the host can"
        " reach."
    )
    return [finding("error", "clock_unsynchronised", text, "timedatectl")]
