# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the facts of a host and the wants of its owner to one plan for the driver, with every blocker at once.

Pure: no clock, no files, no host. The same input gives the same plan.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import driver_conditions as conditions
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import driver_files as files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue, load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_choice import fill
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_commands import removal_commands
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import note, ordered
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_gpus import gpu_findings, gpus_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_kernels import next_kernel_findings, target_kernels
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_names import driver_names
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_outline import DEFAULTS, outline
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_reasons import why
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_refusals import refusals
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_repository import PATH
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_requirements import move_findings, unmet
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_runfile import (
    runfile_findings,
    runfile_platform,
    version_of,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_secure_boot import DROP_IN
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_secure_boot_findings import (
    declared_findings,
    secure_boot_findings,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import best, candidates, is_installed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_sources import (
    method_findings,
    platform_of_method,
    repository_for,
)


def driver_plan(facts: dict[str, Any], wants: dict[str, Any], catalogue: Catalogue | None = None) -> dict[str, Any]:
    """The plan for one host; its shape is in the documentation of the filter gpufleet.nvidia.driver_plan.

    :param facts: ``ansible_facts['nvidia']``
    :param wants: the variables of the role nvidia_driver without their prefix; what is missing takes its default
    """
    catalogue = catalogue or load()
    wants = {**DEFAULTS, **wants}
    wants["version"] = str(wants["version"]) if wants["version"] else None
    if wants["method"] == "runfile" and wants["state"] == "present":
        wants["version"] = version_of(wants)
    system = facts.get("system") or {}
    platform = catalogue.platform(system.get("distribution"), system.get("version"))
    plan = outline(wants, platform)
    plan["findings"] = conditions.facts_findings(facts)
    if not plan["findings"]:
        offering = _of_method(platform, wants)
        plan["findings"] = [
            *conditions.platform_findings(facts, _needing(platform, offering, wants), catalogue),
            *conditions.installation_findings(facts, wants),
        ]
        if platform and wants["state"] == "absent":
            _plan_absent(plan, facts, wants, platform)
        elif platform and offering is None:
            plan["findings"] += method_findings(platform, wants["method"])
        elif platform and offering:
            _plan_present(plan, facts, wants, offering, platform, catalogue)
    plan["findings"] = ordered(plan["findings"])
    return plan


def _of_method(platform: dict[str, Any] | None, wants: dict[str, Any]) -> dict[str, Any] | None:
    """The platform with the offers of the wanted method alone; None: there is no such platform, or no such method."""
    if platform is None:
        return None
    if wants["method"] == "runfile":
        return runfile_platform(platform, wants)
    return platform_of_method(platform, wants["method"])


def _needing(
    platform: dict[str, Any] | None, offering: dict[str, Any] | None, wants: dict[str, Any]
) -> dict[str, Any] | None:
    """The platform, with the repository that the method leaves to the host's owner."""
    if platform is None or wants["method"] == "package":
        return platform
    needs = (offering or {}).get("needs_repository") if wants["method"] == "repository" else None
    return {**platform, "needs_repository": needs}


def _plan_present(
    plan: dict[str, Any],
    facts: dict[str, Any],
    wants: dict[str, Any],
    platform: dict[str, Any],
    own: dict[str, Any],
    catalogue: Catalogue,
) -> None:
    """:param platform: with the offers of the wanted method; *own* is the same with the distribution's"""
    gpus = gpus_of(facts, catalogue)
    kernels, kernel_findings = target_kernels(facts, wants["kernels"])
    plan["kernels"] = kernels
    plan["findings"] += [
        *gpu_findings(facts, gpus, wants, catalogue),
        *conditions.place_findings(facts),
        *kernel_findings,
        *next_kernel_findings(facts, kernels),
        *files.parameter_findings(wants["module_parameters"]),
        *declared_findings(wants),
        *conditions.foreign_findings(facts, platform, wants),
    ]
    if wants["method"] == "runfile":
        plan["findings"] += runfile_findings(facts, wants)
        if not platform["offers"]:
            return
    found = candidates(platform, gpus, wants, catalogue)
    if not found:
        plan["findings"] += refusals(platform, gpus, wants, catalogue)
        return
    choice = best(found, gpus, wants, facts, catalogue)
    plan["why"] = why(choice, found, gpus, wants, facts, platform)
    fill(plan, choice, facts, wants, platform, own)
    moving = unmet(facts, wants)
    plan["upgrade"] = bool(moving) or plan["upgrade"]
    plan["findings"] += [
        *move_findings(moving, choice, facts),
        *conditions.alpha_findings(choice, gpus, wants, catalogue),
        *secure_boot_findings(facts, wants, plan["secure_boot"], plan["build"]),
        *conditions.support_findings(plan["branch"], catalogue),
    ]
    if not gpus and wants["flavour"] == "auto":
        text = (
            f"No GPU decides the flavour here: {choice.flavour} is taken, as NVIDIA's own installer of that branch"
            " does. Set nvidia_driver_flavour."
        )
        plan["findings"].append(note("flavour_without_gpu", text, catalogue.cite(["readme560"])))
    if wants["nvml_enabled"] and not platform["nvml"]["packages"]:
        text = (
            f"No package of {platform['name']} is known to bring nvidia-ml-py: install it for the target's Python, or"
            " the facts go without NVML."
        )
        plan["findings"].append(note("nvml_unpackaged", text))


def _plan_absent(plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any], platform: dict[str, Any]) -> None:
    """Undoes everything; of the packages the catalogue's own that are installed, whatever series they are of."""
    install = facts["driver"].get("install") or {}
    installed = [row["name"] for row in install.get("packages") or [] if is_installed(row)]
    kernels = [row["release"] for row in facts["kernel"].get("installed") or []]
    known = driver_names(platform, kernels) + driver_names(
        platform_of_method(platform, "repository") or platform, kernels
    )
    plan["packages"] = [name for name in dict.fromkeys(known) if name in installed]
    plan["nvml_packages"] = list(platform["nvml"]["packages"]) if wants["nvml_enabled"] else []
    plan["module_files"] = [files.absent(files.MODPROBE)]
    if platform["package_manager"] == "apt":
        source = repository_for(platform["name"])
        theirs = [files.absent(source["path"]), files.absent(source["key"]["path"])] if source else []
        plan["package_files"] = [files.absent(PATH), *theirs, files.absent(files.UNATTENDED)]
    plan["package_files"].append(files.absent(DROP_IN))
    gone = [*plan["packages"], *plan["nvml_packages"]]
    plan["commands"] = removal_commands(platform, gone)
