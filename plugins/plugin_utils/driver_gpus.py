# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs of a host, and what each of them demands of a driver."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed


class Gpu(NamedTuple):
    """One GPU function; ``architecture`` is a key of the catalogue's architectures, None for an unknown device."""

    address: str
    device: str
    name: str
    architecture: str | None
    segment: str | None

    def __str__(self) -> str:
        return f"{self.name} at {self.address}"


def gpus_of(facts: dict[str, Any], catalogue: Catalogue) -> list[Gpu]:
    """The physical GPUs among the PCI functions, by address, without the virtual functions of a vGPU host."""
    rows = [row for row in facts.get("pci") or [] if row.get("kind") == "gpu" and not row.get("physical_function")]
    return [_gpu(row, catalogue) for row in sorted(rows, key=lambda row: row["address"])]


def _gpu(row: dict[str, Any], catalogue: Catalogue) -> Gpu:
    device = str(row.get("device") or "").lower()
    board = catalogue.boards.get(device, {})
    architecture = board.get("architecture") or row.get("architecture")
    for name, rules in catalogue.architectures.items():
        if rules.get("of") == architecture and any(low <= device <= high for low, high in rules["device_ranges"]):
            architecture = name
    known = architecture if architecture in catalogue.architectures else None
    return Gpu(
        row["address"], device, board.get("name") or row.get("name") or f"10de:{device}", known, board.get("segment")
    )


def supports_branch(gpu: Gpu, low: int, high: int | None, catalogue: Catalogue) -> bool:
    """Whether a driver of branches *low* … *high* (None: no end) drives the GPU; an unknown device is no obstacle."""
    if gpu.architecture is None:
        return True
    rules = catalogue.architectures[gpu.architecture]
    newest = low if high is None else high
    return (rules["first_branch"] or 0) <= newest and (rules["last_branch"] is None or low <= rules["last_branch"])


def flavours_for(gpu: Gpu, branch: int, catalogue: Catalogue) -> set[str]:
    """The kernel module flavours of *branch* that drive the GPU."""
    if gpu.architecture is None:
        return {"open", "proprietary"}
    rules = catalogue.architectures[gpu.architecture]
    if rules["open_modules"] == "unsupported":
        return {"proprietary"}
    since = rules.get("open_modules_required_from_branch")
    if rules["open_modules"] == "required" or (since and branch >= since):
        return {"open"}
    return {"open", "proprietary"}


def is_alpha(gpu: Gpu, branch: int, catalogue: Catalogue) -> bool:
    """Whether the branch's README calls its open modules alpha on this board; also for a board of unknown segment."""
    segments = catalogue.branches.get(branch, {}).get("open_modules_alpha_for", [])
    return bool(segments) and (gpu.segment is None or gpu.segment in segments)


def nearest_boards(device: str, catalogue: Catalogue, count: int = 2) -> list[str]:
    """The boards with the nearest device ids, as ``1b38 GP102GL [Tesla P40]``: boards of one chip are neighbours."""
    try:
        number = int(device, 16)
    except ValueError:
        return []
    near = sorted(catalogue.boards, key=lambda other: (abs(int(other, 16) - number), other))[:count]
    return [f"{other} {catalogue.boards[other]['name']}" for other in near]


def gpu_findings(
    facts: dict[str, Any], gpus: list[Gpu], wants: dict[str, Any], catalogue: Catalogue
) -> list[dict[str, str]]:
    """What is wrong with the hardware itself: no GPU, unknown GPU, unassigned BARs."""
    findings = []
    if not gpus and wants["gpu_required"]:
        findings.append(
            error(
                "no_gpu",
                "No NVIDIA GPU is on this host's PCI bus, so there is nothing to drive. Check that the card is seated,"
                " powered and passed through to this machine; for an image build set nvidia_driver_gpu_required:"
                " false.",
            )
        )
    for gpu in gpus:
        told = (wants["branch"] or wants["version"]) and wants["flavour"] != "auto"
        if gpu.architecture is None and not told:
            near = listed(nearest_boards(gpu.device, catalogue))
            findings.append(
                error(
                    "gpu_unknown",
                    f"The GPU 10de:{gpu.device} at {gpu.address} is unknown; the nearest known devices are {near}."
                    " Nothing is guessed for it: set both nvidia_driver_branch and nvidia_driver_flavour, as NVIDIA's"
                    " page for the card says.",
                    catalogue.cite(["pciids"]),
                )
            )
    for row in facts.get("pci") or []:
        if row.get("kind") == "gpu" and row.get("bars_assigned") is False:
            findings.append(
                error(
                    "bars_unassigned",
                    f"The firmware gave the GPU {row.get('name') or row['device']} at {row['address']} no memory window"
                    " (its BARs are unassigned): the driver would load and find no device. Enable Above 4G Decoding in"
                    " the firmware set-up (for a virtual machine a 64-bit MMIO window large enough for the card), then"
                    " start the host again.",
                )
            )
    return findings
