# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CUDA releases a host gets, by which method, and what each of them means with its driver."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_findings import method_findings, update_findings
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_toolkits import METHODS, installed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_sources import repository_for
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_cuda_sources import lacks, own_toolkit
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import Driver, Host
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_releases import (
    Release,
    is_newer_card,
    mode_of,
    release_of,
    releases,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_wants import nearest
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

Findings = list[dict[str, str]]


def asked_releases(host: Host, wants: dict[str, Any]) -> tuple[list[Release], bool, Findings]:
    """The releases that are named, whether ``auto`` is among them, and an error for each that is not known."""
    known = releases(host.catalogue)
    rows: dict[str, Release] = {}
    found: Findings = []
    for text in wants["versions"]:
        name = ".".join(text.split(".")[:2])
        if text == "auto":
            continue
        if name not in known or not re.fullmatch(r"\d+\.\d+(\.\d+)?", text):
            near = listed(nearest(text, known))
            found.append(
                error(
                    "cuda_unknown",
                    f"CUDA {text} is not in the catalogue, and nothing is guessed of it; the nearest known releases are"
                    f' {near}. Ask for one of them, in quotes ("{known[0]}"), or for auto.',
                )
            )
            continue
        update = text if text.count(".") == 2 else None
        before = rows.get(name)
        if before and update and before.update not in (None, update):
            found.append(
                error(
                    "cuda_updates_conflict",
                    f"CUDA {before.update} and {update} are updates of one release, which has one folder,"
                    f" /usr/local/cuda-{name}. Name one of the two in cuda_versions.",
                )
            )
        elif before is None or update:
            rows[name] = release_of(name, update, host.catalogue)
    return list(rows.values()), "auto" in wants["versions"], found + update_findings(wants, host.catalogue)


def auto_release(host: Host, wants: dict[str, Any], driver: Driver, left: list[Release]) -> tuple[Release | None, str]:
    """The release for ``auto`` and why: what is installed or the distribution packages, else the newest in full.

    :param left: the releases that can run here, newest first
    """
    fitting = [row for row in left if not any(is_newer_card(row, card) for card in host.cards)]
    by_name = {row.name: row for row in fitting if mode_of(row, driver) in ("full", "minor_version")}
    there = [row["release"] for row in installed(host.facts) if row.get("release") in by_name]
    if there and wants["method"] == "auto":
        return by_name[max(there, key=version_key)], f"CUDA {max(there, key=version_key)}: is installed, and runs here."
    own = own_toolkit(host)
    if wants["method"] in ("auto", "distribution") and not host.is_guest and own and own["release"] in by_name:
        name = (host.platform or {})["name"]
        return by_name[own["release"]], f"CUDA {own['release']}: is what {name} packages itself, and runs here."
    if wants["method"] == "distribution":
        return None, ""
    if wants["method"] != "runfile" and not host.is_guest:
        by_name = {name: row for name, row in by_name.items() if not lacks(host, wants, row)}
    full = [row for row in by_name.values() if mode_of(row, driver) == "full"]
    if full:
        text = f"CUDA {full[0].name}: is the newest that has every card here and all its features with driver {driver}."
        return full[0], text
    rows = list(by_name.values())
    if rows:
        return rows[0], f"CUDA {rows[0].name}: is the newest that runs with driver {driver}, in minor-version mode."
    return None, ""


def method_of(host: Host, wants: dict[str, Any], chosen: list[Release]) -> str:
    """The method that is asked for; else a runfile on a vGPU guest, what the distribution packages, the repository."""
    if wants["method"] in METHODS:
        return str(wants["method"])
    if host.is_guest:
        return "runfile"
    name = (host.platform or {}).get("name")
    own = own_toolkit(host)
    if own and [(row.name, row.update in (None, own["update"])) for row in chosen] == [(own["release"], True)]:
        return "distribution"
    return "repository" if repository_for(name) and not any(lacks(host, wants, row) for row in chosen) else "runfile"


def guest_method_findings(host: Host, wants: dict[str, Any], method: str, chosen: list[Release]) -> Findings:
    """Packages on a vGPU guest: refused, or announced where its driver is protected."""
    there = {row["release"] for row in installed(host.facts)}
    missing = any(row.name not in there for row in chosen)
    facts = {**host.facts, "place": "vgpu_guest"} if host.is_guest else host.facts
    return method_findings(facts, method, wants, missing)


def rows_of(chosen: list[Release], driver: Driver | None) -> list[dict[str, Any]]:
    return [
        {
            "release": row.name,
            "update": row.update,
            "driver": row.driver,
            "floor": row.floor,
            "mode": mode_of(row, driver),
        }
        for row in chosen
    ]
