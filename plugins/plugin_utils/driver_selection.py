# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which driver series and which flavour: every combination that the platform offers, filtered by GPUs and wants.

A want is a filter over the choices and nothing else, so that another want can never add a choice.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import FLAVOURS, Catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_gpus import (
    Gpu,
    flavours_for,
    is_alpha,
    supports_branch,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

VERSION = re.compile(r"\d{3}\.\d{1,3}(\.\d{1,3})?")
IS_KERNEL = re.compile(r"dkms|kmod|kmp|-kernel-|linux-modules|headless")  # a package that brings kernel modules
INSTALLED_STATES = ("ii", "hi", "installed", "hold", "triggers-pending", "triggers-awaited", None)


class Choice(NamedTuple):
    """One driver that the platform offers: a series in a flavour."""

    offer: dict[str, Any]
    flavour: str

    @property
    def branch(self) -> int:
        """The branch; of a rolling release the oldest that it may be."""
        return self.offer["branch_min"]


def branch_of(version: str) -> int:
    """``535.261.03`` → 535."""
    return int(version.split(".", maxsplit=1)[0])


def fits_gpu(choice: Choice, gpu: Gpu, catalogue: Catalogue) -> bool:
    high = choice.offer["branch"]
    return supports_branch(gpu, choice.branch, high if high else None, catalogue) and choice.flavour in flavours_for(
        gpu, choice.branch, catalogue
    )


def wanted_branch(wants: dict[str, Any]) -> int | None:
    """The branch that the variables ask for, by itself or through the version."""
    if wants["branch"]:
        return int(wants["branch"])
    return branch_of(wants["version"]) if wants["version"] and VERSION.fullmatch(str(wants["version"])) else None


def choices_of(platform: dict[str, Any], wants: dict[str, Any]) -> list[Choice]:
    """Everything that the platform offers, best first: its order of branches, then the series for the kind of use."""
    order = list(dict.fromkeys(offer["branch"] for offer in platform["offers"]))
    use = "graphics" if wants["graphics_enabled"] else "compute"

    def rank(offer: dict[str, Any]) -> tuple[int, bool]:
        is_server = str(offer["series"]).endswith("-server")
        return order.index(offer["branch"]), is_server == (use == "graphics")

    offers = sorted(platform["offers"], key=rank)
    return [Choice(offer, flavour) for offer in offers for flavour in FLAVOURS if _build_of(offer, flavour)]


def _build_of(offer: dict[str, Any], flavour: str) -> list[str]:
    return [build for build, flavours in offer["builds"].items() if flavour in flavours]


def candidates(platform: dict[str, Any], gpus: list[Gpu], wants: dict[str, Any], catalogue: Catalogue) -> list[Choice]:
    """The choices that drive every GPU and satisfy every want, best first."""
    found = [choice for choice in choices_of(platform, wants) if all(fits_gpu(choice, gpu, catalogue) for gpu in gpus)]
    branch = wanted_branch(wants)
    if branch:
        found = [choice for choice in found if choice.offer["branch"] == branch]
    version = str(wants["version"] or "")
    if version and not (VERSION.fullmatch(version) and branch_of(version) == branch):
        return []
    if wants["flavour"] != "auto":
        found = [choice for choice in found if choice.flavour == wants["flavour"]]
    return [choice for choice in found if all(is_new_enough(choice, row, wants) for row in wants.get("requires") or [])]


def is_new_enough(choice: Choice, requirement: dict[str, Any], wants: dict[str, Any]) -> bool:
    """Whether the choice can give the least driver of a requirement ``{what, min_driver, source}``.

    The wanted version decides, else the version that is known of the offer, else the branch alone; a rolling release
    has no end.
    """
    least = version_key(str(requirement["min_driver"]))
    version = wants["version"] or choice.offer["version"]
    if version:
        return version_key(str(version)) >= least
    return choice.offer["branch"] is None or choice.offer["branch"] >= least[0]


def build_of(choice: Choice, platform: dict[str, Any], secure_boot: bool) -> str:
    """``dkms`` or ``precompiled``: the platform's first way, or the precompiled one where Secure Boot favours it."""
    ways = _build_of(choice.offer, choice.flavour)
    if secure_boot and platform.get("precompiled_with_secure_boot") and "precompiled" in ways:
        return "precompiled"
    return ways[0]


def installed_choice(found: list[Choice], facts: dict[str, Any]) -> Choice | None:
    """The choice whose kernel packages are installed already, in a version of its branch; None: none of them."""
    install = (facts.get("driver") or {}).get("install") or {}
    on_disk = ((facts.get("driver") or {}).get("on_disk") or {}).values()
    there = {(row.get("version"), row.get("flavour")) for row in on_disk if row}
    versions = {row["name"]: row.get("version") for row in install.get("packages") or [] if is_installed(row)}
    for choice in found:
        if choice.offer["series"] == "runfile" and install.get("runfile"):
            if (choice.offer["version"], choice.flavour) in there:
                return choice
            continue
        for build in _build_of(choice.offer, choice.flavour):
            for name in render(choice.offer["builds"][build][choice.flavour]["kernel"], choice, ""):
                branch = package_branch(versions.get(name))
                if name in versions and (branch is None or choice.offer["branch"] in (branch, None)):
                    return choice
    return None


def installed_version(facts: dict[str, Any]) -> str | None:
    """The version of the driver that is installed, whatever brought it: its modules on disk, else its packages."""
    driver = facts.get("driver") or {}
    modules = [row["version"] for row in (driver.get("on_disk") or {}).values() if row and row.get("version")]
    install = driver.get("install") or {}
    kernel = [row for row in install.get("packages") or [] if is_installed(row) and IS_KERNEL.search(row["name"])]
    found = [re.match(r"(?:\d+:)?(\d{3}\.\d+(?:\.\d+)?)", row.get("version") or "") for row in kernel]
    versions = modules or [match.group(1) for match in found if match]
    return min(versions, key=version_key) if versions else None


def is_installed(package: dict[str, Any]) -> bool:
    """Whether a row of the fact ``driver.install.packages`` is a package that is there, not only its configuration."""
    return package.get("state") in INSTALLED_STATES


def package_branch(version: str | None) -> int | None:
    """The driver branch in a package's version, such as ``3:595.71.05-1.el9`` → 595; None: no driver version."""
    found = re.match(r"(?:\d+:)?(\d{3})\.", version or "")
    return int(found.group(1)) if found else None


def best(
    found: list[Choice], gpus: list[Gpu], wants: dict[str, Any], facts: dict[str, Any], catalogue: Catalogue
) -> Choice:
    """The one to take: the series known to have the wanted version, what is installed, then the platform's order.

    :param found: candidates, not empty
    """
    if wants["version"]:
        found = [choice for choice in found if choice.offer["version"] == wants["version"]] or found
    kept = installed_choice(found, facts)
    if kept:
        return kept
    series = [choice for choice in found if choice.offer is found[0].offer]
    fit = prefers_open(series[0].branch, gpus, catalogue)
    return next((choice for choice in series if (choice.flavour == "open") == fit), series[0])


def prefers_open(branch: int, gpus: list[Gpu], catalogue: Catalogue) -> bool:
    """Whether, both being possible, the open flavour is taken: not where it is alpha; for unseen GPUs from 560 on."""
    if not gpus:
        return branch >= 560
    return not any(is_alpha(gpu, branch, catalogue) for gpu in gpus)


def render(patterns: list[str], choice: Choice, release: str) -> list[str]:
    """Package names from the catalogue's patterns, for one kernel *release*."""
    suffix = release.rsplit("-", maxsplit=1)[-1] if "-" in release else ""
    values = {
        "series": choice.offer["series"],
        "branch": choice.offer["branch"],
        "open": "-open" if choice.flavour == "open" else "",
        "release": release,
        "kernel_flavour": suffix or "default",
        "kernel_suffix": f"-{suffix}" if suffix in ("lts", "zen", "hardened") else "",
    }
    return [pattern.format(**values) for pattern in patterns]
