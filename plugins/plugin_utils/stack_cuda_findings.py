# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a CUDA release on a host, and what it demands of the driver."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import Driver, Host, driver_said, drivers
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_releases import (
    Release,
    is_dropped,
    is_newer_card,
    mode_of,
    newest,
)

Findings = list[dict[str, str]]
LIMITS = "no just-in-time compilation of its PTX (unsupported PTX version) and none of the features of newer drivers"


def card_findings(host: Host, rows: list[Release]) -> Findings:
    """What the compilers of the releases make of the cards."""
    found = []
    for row in rows:
        source = host.catalogue.cite(row.src)
        dropped = [card for card in host.cards if is_dropped(row, card, host.catalogue)]
        younger = [card for card in host.cards if is_newer_card(row, card)]
        unknown = [card for card in host.cards if not card.possible and card not in dropped]
        if dropped:
            cards = listed([str(card) for card in dropped])
            found.append(
                error(
                    "cuda_unsupported_gpu",
                    f"CUDA {row.name} no longer compiles for {cards}{_least(row)}. {newest_said(host)} Or take the card"
                    " out, or pass it through to a guest.",
                    source,
                )
            )
        if younger:
            cards = listed([str(card) for card in younger])
            found.append(
                warning(
                    "cuda_older_than_gpu",
                    f"CUDA {row.name} came before {cards}, and its compiler does not have their compute capability:"
                    " programs run there only by just-in-time compilation of the PTX that they carry. Ask for a newer"
                    " CUDA.",
                    source,
                )
            )
        if unknown:
            cards = listed([str(card) for card in unknown])
            found.append(
                warning(
                    "cuda_gpu_unknown",
                    f"The compute capability of {cards} is unknown, so whether CUDA {row.name} compiles for it is"
                    " unknown as well. Look it up on NVIDIA's page before you rely on it.",
                )
            )
    return found


def _least(row: Release) -> str:
    return f": it begins with compute capability {row.low}" if row.low else ""


def newest_said(host: Host) -> str:
    """The way out: the newest CUDA that the host can have."""
    name = newest(host)
    return f"The newest CUDA that can be had here is {name}: ask for that." if name else "No CUDA can be had here."


def driver_findings(host: Host, rows: list[Release]) -> tuple[Findings, list[dict[str, Any]]]:
    """Errors for releases that no driver here can run, and what the others require of the driver."""
    choices = drivers(host, free=True)
    found: Findings = []
    requires = []
    for row in rows:
        source = host.catalogue.cite(row.src)
        if any(is_dropped(row, card, host.catalogue) for card in host.cards):
            continue
        if any(driver.reaches(row.floor) for driver in choices):
            requires.append({"what": f"CUDA {row.name}", "min_driver": row.floor, "source": source})
        elif choices:
            text = f"CUDA {row.name} needs driver {row.floor} or newer, but {driver_said(host, choices)}."
            found.append(error("cuda_needs_newer_driver", f"{text} {newest_said(host)}{_elsewhere(host)}", source))
    return found, requires


def _elsewhere(host: Host) -> str:
    if host.is_guest:
        return " A newer driver comes with a newer vGPU release of host and guest alone."
    if host.driver["method"] == "package":
        return " Newer drivers may be had with nvidia_driver_method: repository."
    return ""


def mode_findings(host: Host, rows: list[Release], driver: Driver | None) -> Findings:
    """A note for each release that the driver runs with limits."""
    found = []
    for row in rows:
        if mode_of(row, driver) != "minor_version":
            continue
        need = row.driver or f"branch {row.branch}"
        better = [one for one in drivers(host, free=True) if mode_of(row, one) == "full"]
        branches = listed([str(name) for name in dict.fromkeys(one.branch for one in better)])
        way = f" With nvidia_driver_branch {branches} it has all." if better and not host.is_guest else ""
        found.append(
            note(
                "cuda_minor_version",
                f"CUDA {row.name} has all its features from driver {need} on; with {driver} it runs in minor-version"
                f" mode, with limits: {LIMITS}.{way}",
                host.catalogue.cite(row.src),
            )
        )
    return found
