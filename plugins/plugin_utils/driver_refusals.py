# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why no driver is left: every blocker by itself, so that one report names them all."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_gpus import Gpu
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_requirements import requirement_refusals
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import (
    VERSION,
    branch_of,
    choices_of,
    fits_gpu,
    wanted_branch,
)

Findings = list[dict[str, str]]


def refusals(platform: dict[str, Any], gpus: list[Gpu], wants: dict[str, Any], catalogue: Catalogue) -> Findings:
    """The errors for a host on which no choice is left; at least one."""
    unmet = requirement_refusals(platform, gpus, wants, catalogue)
    if unmet:
        return unmet
    known = [gpu for gpu in gpus if gpu.architecture]
    found = version_refusals(wants)
    found += _branch_refusals(platform, known, wants, catalogue)
    found += _flavour_refusals(platform, known, wants, catalogue)
    found += _conflicts(known, catalogue)
    found += [] if found else _platform_refusals(platform, known, wants, catalogue)
    return found or [
        error(
            "no_driver",
            f"Nothing that {platform['name']} offers (branches {_offered(platform)}) drives all of"
            f" {listed([str(gpu) for gpu in gpus])} with the variables as they are. Set nvidia_driver_branch,"
            " nvidia_driver_version and nvidia_driver_flavour to null, null and auto to see what is possible.",
        )
    ]


def version_refusals(wants: dict[str, Any]) -> Findings:
    """Errors for a version that is none, or that contradicts the branch."""
    version = wants["version"]
    if not version:
        return []
    if not VERSION.fullmatch(str(version)):
        return [
            error(
                "version_invalid",
                f"nvidia_driver_version {version!r} is not a driver version: it has two or three numbers, such as"
                " 535.261.03, without a package revision. Quote it in YAML.",
            )
        ]
    if wants["branch"] and branch_of(version) != int(wants["branch"]):
        return [
            error(
                "branch_version_conflict",
                f"nvidia_driver_version {version} is of branch {branch_of(version)}, but nvidia_driver_branch is"
                f" {wants['branch']}: set one of the two, or make them agree.",
            )
        ]
    return []


def _offered(platform: dict[str, Any]) -> str:
    names = [str(row["branch"] or f"{row['branch_min']} and newer") for row in platform["offers"]]
    return listed(list(dict.fromkeys(names)))


def _branch_refusals(
    platform: dict[str, Any], gpus: list[Gpu], wants: dict[str, Any], catalogue: Catalogue
) -> Findings:
    branch = wanted_branch(wants)
    if not branch:
        return []
    found = [row for gpu in gpus for row in _gpu_and_branch(gpu, branch, catalogue)]
    if branch in [row["branch"] for row in platform["offers"]]:
        return found
    source = catalogue.cite(platform["src"])
    moved = {name: real for name, real in platform.get("transitional", {}).items() if name.split("-")[0] == str(branch)}
    if moved:
        names = [f"nvidia-driver-{name} installs nvidia-driver-{real}" for name, real in moved.items()]
        text = (
            f"Branch {branch} is gone from {platform['name']}: its packages are empty and pull another branch"
            f" ({listed(names)}), whatever their version number says. Set nvidia_driver_branch to one that is real:"
            f" {_offered(platform)}."
        )
        return [*found, error("branch_transitional", text, source)]
    if any(row["branch"] is None for row in platform["offers"]):
        text = (
            f"{platform['name']} has the newest branch alone ({_offered(platform)}), so branch {branch} cannot be"
            " chosen there. Leave nvidia_driver_branch and nvidia_driver_version at null."
        )
        return [*found, error("branch_not_selectable", text, source)]
    unknown = "" if branch in catalogue.branches else f" Branch {branch} is not in the catalogue at all."
    text = (
        f"{platform['name']} does not offer driver branch {branch}; it has {_offered(platform)}.{unknown} Set"
        " nvidia_driver_branch to one of them."
    )
    return [*found, error("branch_not_offered", text, source)]


def _gpu_and_branch(gpu: Gpu, branch: int, catalogue: Catalogue) -> Findings:
    rules = catalogue.architectures[str(gpu.architecture)]
    source = catalogue.cite(rules["src"])
    if rules["last_branch"] and branch > rules["last_branch"]:
        text = (
            f"Branch {branch} no longer drives {gpu} ({rules['title']}): the last that does is {rules['last_branch']}."
            f" Set nvidia_driver_branch to {rules['last_branch']} or older, or take the card out."
        )
        return [error("branch_dropped_gpu", text, source)]
    if rules["first_branch"] and branch < rules["first_branch"]:
        text = (
            f"Branch {branch} does not know {gpu} ({rules['title']}) yet: the first that does is"
            f" {rules['first_branch']}. Set nvidia_driver_branch to {rules['first_branch']} or newer."
        )
        return [error("branch_too_old_for_gpu", text, source)]
    return []


def _flavour_refusals(
    platform: dict[str, Any], gpus: list[Gpu], wants: dict[str, Any], catalogue: Catalogue
) -> Findings:
    flavour, branch = wants["flavour"], wanted_branch(wants)
    found = []
    for gpu in gpus:
        rules = catalogue.architectures[str(gpu.architecture)]
        source = catalogue.cite(rules["src"])
        if flavour == "open" and rules["open_modules"] == "unsupported":
            text = (
                f"The open kernel modules cannot drive {gpu} ({rules['title']}): they need a GPU system processor,"
                " which came with Turing. Set nvidia_driver_flavour to proprietary or auto."
            )
            found.append(error("open_modules_unsupported", text, source))
        if flavour == "proprietary" and rules["open_modules"] == "required":
            text = (
                f"The proprietary kernel modules do not drive {gpu} ({rules['title']}): it needs the open ones. Set "
                "nvidia_driver_flavour to open or auto."
            )
            found.append(error("open_modules_required", text, source))
    offers = [row for row in platform["offers"] if branch in (row["branch"], None)]
    offered = {name for row in offers for flavours in row["builds"].values() for name in flavours}
    if flavour != "auto" and offers and flavour not in offered:
        outside = platform.get("outside", {}).get(flavour)
        elsewhere = (
            f" {outside[0].upper()}{outside[1:]} exists outside the archive; this role does not install it."
            if outside
            else ""
        )
        text = (
            f"{platform['name']} has no {flavour} kernel modules{f' for branch {branch}' if branch else ''}. Set"
            f" nvidia_driver_flavour to {listed(sorted(offered))} or auto.{elsewhere}"
        )
        found.append(error("flavour_not_offered", text, catalogue.cite(platform["src"])))
    return found


def _conflicts(gpus: list[Gpu], catalogue: Catalogue) -> Findings:
    rules = {gpu: catalogue.architectures[str(gpu.architecture)] for gpu in gpus}
    found = []
    for one in gpus:
        for other in gpus:
            last, first = rules[one]["last_branch"], rules[other]["first_branch"]
            closed_and_open = rules[one]["open_modules"] == "unsupported" and rules[other]["open_modules"] == "required"
            if not closed_and_open and not (last and first and first > last):
                continue
            reason = (
                "the first needs proprietary kernel modules and the second open ones, and a host has one set"
                if closed_and_open
                else f"the first is driven up to branch {last}, the second from branch {first} on"
            )
            text = (
                f"No one driver drives both {one} and {other}: {reason}. Put one of the two into another host, or pass"
                " it through to a guest."
            )
            found.append(error("gpus_conflict", text, catalogue.cite(rules[one]["src"])))
    return found


def _platform_refusals(
    platform: dict[str, Any], gpus: list[Gpu], wants: dict[str, Any], catalogue: Catalogue
) -> Findings:
    found = []
    for gpu in gpus:
        if any(fits_gpu(choice, gpu, catalogue) for choice in choices_of(platform, wants)):
            continue
        rules = catalogue.architectures[str(gpu.architecture)]
        first, last = rules["first_branch"], rules["last_branch"]
        needs = (
            " and ".join(
                ([f"branch {first} or newer"] if first else []) + ([f"branch {last} or older"] if last else [])
            )
            or "another branch"
        )
        modules = {"required": " with open kernel modules", "unsupported": " with proprietary kernel modules"}.get(
            rules["open_modules"], ""
        )
        outside = platform.get("outside", {}).get("proprietary") if rules["open_modules"] == "unsupported" else None
        way = (
            f"{outside} drives it, but this role does not install it"
            if outside
            else "use a release whose archive has such a driver"
        )
        text = (
            f"No package of {platform['name']} drives {gpu} ({rules['title']}): it needs {needs}{modules}, and the"
            f" archive has {_offered(platform)}. {way[0].upper()}{way[1:]}."
        )
        found.append(error("gpu_unsupported_here", text, catalogue.cite(rules["src"])))
    return found
