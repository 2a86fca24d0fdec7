# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where CUDA can come from beside the driver of the host, and what goes wrong where both have several sources."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue_queries import in_repository
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_distributions import distribution_toolkit
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_toolkits import installed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_sources import repository_for
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import Host
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_releases import Release, release_of, releases

Findings = list[dict[str, str]]


def own_toolkit(host: Host) -> dict[str, Any] | None:
    """What the distribution packages; None beside NVIDIA's own driver packages, with which it is not built to go."""
    if host.driver["method"] == "repository":
        return None
    return distribution_toolkit((host.platform or {}).get("name"))


def source_findings(host: Host, wants: dict[str, Any], method: str) -> Findings:
    """Driver and toolkit from sources that get in each other's way, or that are only to be watched."""
    theirs = "" if host.is_guest else host.driver["method"]
    if theirs == "repository" and method == "distribution":
        text = (
            "The driver comes from NVIDIA's repository, and the distribution's CUDA toolkit asks for the distribution's"
            " own driver libraries. Set cuda_method: repository or runfile, or nvidia_driver_method: package."
        )
        return [error("sources_conflict", text)]
    if theirs == "repository" and wants["protect_driver_enabled"]:
        text = (
            "cuda_protect_driver_enabled keeps NVIDIA's packages of the driver out, and nvidia_driver_method:"
            " repository takes the driver from there. Unset one of them: the driver's packages are held anyway."
        )
        return [error("protection_conflicts", text)]
    if theirs == "package" and method == "repository":
        text = (
            "The driver comes from the distribution and CUDA from NVIDIA's repository, which has drivers too: only"
            " packages that bring no driver are taken from there, and a transaction that would move the driver is"
            " refused."
        )
        return [note("two_sources", text)]
    return []


def lacks(host: Host, wants: dict[str, Any], release: Release) -> bool:
    """Whether NVIDIA's repository for the host's distribution is known not to have the release."""
    source = repository_for((host.platform or {}).get("name"))
    if source is None or wants.get("repository_url"):
        return False
    return in_repository(host.catalogue.cuda, release.name, source["folder"]) is False


def repository_findings(host: Host, wants: dict[str, Any], method: str, chosen: list[Release]) -> Findings:
    """An error for what NVIDIA's repository does not have and the host neither."""
    there = {row["release"] for row in installed(host.facts)}
    rows = [row for row in chosen if method == "repository" and row.name not in there and lacks(host, wants, row)]
    if not rows:
        return []
    has = [name for name in releases(host.catalogue) if not lacks(host, wants, release_of(name, None, host.catalogue))]
    text = (
        f"NVIDIA's repository for {(host.platform or {})['name']} has no CUDA {listed([row.name for row in rows])}: it"
        f" begins with {has[-1]} and ends with {has[0]}. Ask for one that it has, or set cuda_method: runfile and name"
        " NVIDIA's file in cuda_runfiles."
    )
    return [error("cuda_not_in_repository", text, host.catalogue.cite(rows[0].src))]
