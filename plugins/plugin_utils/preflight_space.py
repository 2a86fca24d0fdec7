# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much room each role needs where, when the package manager does not tell it.

Generous estimates: a change that stops half way on a full disk is worse than one that is refused before it begins.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Need(NamedTuple):
    """``part``: which size of the role's transaction counts instead of ``mib``, where it is known."""

    path: str
    mib: int
    reason: str
    part: str | None = None


# Where package managers keep what they have fetched; often a file system of its own.
ARCHIVES = {
    "apt": "/var/cache/apt/archives",
    "dnf": "/var/cache/dnf",
    "zypper": "/var/cache/zypp",
    "pacman": "/var/cache/pacman",
}
DRIVER_PACKAGES = (
    Need("/usr", 1100, "the driver, the compiler and the kernel headers", "installed"),
    Need("{archives}", 450, "the driver's packages while they are fetched", "download"),
)
DRIVER_RUNFILE = (
    Need("/usr", 1100, "the driver of the runfile"),
    Need("/var/tmp", 1600, "the runfile and what it unpacks"),
)
# A source tree with its objects, and five modules for each kernel.
DKMS = (Need("/var/lib", 600, "building the kernel modules"),)
MODULES_PER_KERNEL = 120
# The new file is written beside the old one before it takes its place.
INITRAMFS = Need("/boot", 16, "a new initramfs")
TOOLKIT_PACKAGES = {
    "repository": (
        Need("/usr/local", 7000, "CUDA {releases}", "installed"),
        Need("{archives}", 3600, "CUDA's packages while they are fetched", "download"),
    ),
    "distribution": (
        Need("/usr", 5000, "CUDA {releases}", "installed"),
        Need("{archives}", 2000, "CUDA's packages while they are fetched", "download"),
    ),
}
TOOLKIT_RUNFILE = (
    Need("{path}", 8200, "CUDA {release}"),
    Need("/var/tmp", 9000, "the runfile of CUDA {release} and what it unpacks"),
)
NCCL = (
    Need("/usr", 400, "NCCL", "installed"),
    Need("{archives}", 250, "NCCL's packages while they are fetched", "download"),
)

HPC_SDK = (
    Need("/opt", 13000, "NVIDIA's HPC SDK", "installed"),
    Need("{archives}", 5000, "the HPC SDK's packages while they are fetched", "download"),
)


def space(facts: dict[str, Any], plans: dict[str, dict[str, Any]], pending: list[str]) -> list[dict[str, Any]]:
    """Rows for the module `preflight`: ``{path, mib, reason, of, part, copy_of}``."""
    manager = str((facts.get("system") or {}).get("package_manager"))
    archives = ARCHIVES.get(manager, "/var/cache")
    rows: list[dict[str, Any]] = []
    if "nvidia_driver" in pending and plans["nvidia_driver"].get("state") != "absent":
        rows += _driver(facts, plans["nvidia_driver"], archives)
    if "cuda" in pending:
        rows += _cuda(plans["cuda"], archives)
    if "nccl" in pending and plans["nccl"].get("packages"):
        needs = HPC_SDK if plans["nccl"].get("method") == "hpcsdk" else NCCL
        rows += [_row(need, "nccl", archives=archives) for need in needs]
    return rows


def _row(need: Need, role: str, **words: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": need.path.format(**words),
        "mib": need.mib,
        "reason": need.reason.format(**words),
    }
    return {**row, "of": role, "part": need.part} if need.part else row


def _driver(facts: dict[str, Any], plan: dict[str, Any], archives: str) -> list[dict[str, Any]]:
    needs = list(DRIVER_RUNFILE if plan.get("runfile") else DRIVER_PACKAGES)
    count = len(plan["kernels"])
    if plan.get("build") in ("dkms", "runfile") and count:
        needs += DKMS
        words = f"{count} kernel{'s' if count > 1 else ''}"
        needs.append(Need("/lib/modules", MODULES_PER_KERNEL * count, f"the modules for {words}"))
    rows = [_row(need, "nvidia_driver", archives=archives) for need in needs]
    images = [row["initramfs"] for row in (facts.get("kernel") or {}).get("installed") or [] if row.get("initramfs")]
    return [*rows, {**_row(INITRAMFS, "nvidia_driver"), "copy_of": images}] if images else rows


def _cuda(plan: dict[str, Any], archives: str) -> list[dict[str, Any]]:
    if plan.get("method") == "runfile":
        rows = plan.get("runfiles") or []
        return [
            _row(need, "cuda", path=row["toolkit_path"], release=row["release"])
            for row in rows
            for need in TOOLKIT_RUNFILE
        ]
    missing = [row["release"] for row in plan.get("toolkits") or [] if not row["present"]]
    one = TOOLKIT_PACKAGES.get(str(plan.get("method")), ()) if missing else ()
    needs = [need._replace(mib=need.mib * len(missing)) for need in one]
    return [_row(need, "cuda", archives=archives, releases=" and ".join(missing)) for need in needs]
