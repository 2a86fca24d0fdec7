# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in a plan that follows from the chosen driver: packages, files, repositories, the runfile's options."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import driver_files as files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_commands import commands_of, repository_commands
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_names import (
    driver_names,
    for_kernels,
    other_names,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_nvidia_repository import file_and_key
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_repository import PATH, repository_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_runfile import is_there, previous, runfile_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_secure_boot import (
    favours_signed,
    secure_boot,
    why,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import Choice, build_of, render
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_sources import platform_of_method, repository_for


def fill(
    plan: dict[str, Any],
    choice: Choice,
    facts: dict[str, Any],
    wants: dict[str, Any],
    platform: dict[str, Any],
    own: dict[str, Any],
) -> None:
    """Adds to *plan* what follows from *choice*.

    :param platform: with the offers of the wanted method; *own* is the same with the distribution's
    """
    build = build_of(choice, platform, favours_signed(facts, wants))
    data = choice.offer["builds"][build][choice.flavour]
    kernel = for_kernels(data["kernel"], choice, plan["kernels"])
    user = choice.offer["compute"] + (choice.offer["graphics"] if wants["graphics_enabled"] else [])
    pin = choice.offer.get("pinning")
    persistence = choice.offer.get("persistence") or platform["persistence"]
    plan.update(
        branch=choice.offer["branch"],
        series=choice.offer["series"],
        flavour=choice.flavour,
        build=build,
        module_name=render([data["module"]], choice, "")[0],
        kernel_packages=kernel,
        pinning=pin.format(pin=plan["version"] or choice.offer["branch"]) if pin else None,
        header_packages=[] if build == "precompiled" else for_kernels(platform["headers"], choice, plan["kernels"]),
        nvml_packages=list(platform["nvml"]["packages"]) if wants["nvml_enabled"] else [],
        persistence={key: render([value], choice, "")[0] for key, value in persistence.items()},
        load_modules=["nvidia", "nvidia_uvm"],
        secure_boot=secure_boot(facts, wants, build, plan["kernels"]),
    )
    reason = why(plan["secure_boot"], platform["name"])
    plan["why"] = {**plan["why"], **({"secure_boot": reason} if reason else {})}
    first = [plan["pinning"]] if plan["pinning"] else []
    plan["packages"] = list(dict.fromkeys(first + kernel + for_kernels(user, choice, plan["kernels"])))
    plan["module_files"] = [files.modprobe_file(plan["module_name"], wants["module_parameters"])]
    if wants["method"] == "runfile":
        plan["version"] = wants["version"]
        plan["runfile"] = runfile_of(facts, wants, choice.flavour, plan["kernels"], plan["secure_boot"])
        plan["runfile_there"] = is_there(facts, plan)
        plan["previous"] = previous(facts, own["nvml"]["packages"])
        plan["build_packages"] = [*platform["build_packages"], *(["dkms"] if build == "dkms" else [])]
        plan["hold"] = False
    else:
        plan["remove"] = _others(plan, choice, platform, own)
    if platform["package_manager"] == "apt":
        plan["package_files"] = _package_files(plan, choice, facts, wants, own)
    plan["commands"] = commands_of(plan, platform["lock"], data, wants)
    if plan["secure_boot"]["stage"] and not plan["secure_boot"]["settled"]:
        plan["commands"].append(["mokutil", "--import", plan["secure_boot"]["certificate"]])
    source = repository_for(own["name"], wants["repository_url"]) if wants["method"] == "repository" else None
    if source:
        plan["commands"] = repository_commands(platform["package_manager"], source) + plan["commands"]


def _others(plan: dict[str, Any], choice: Choice, platform: dict[str, Any], own: dict[str, Any]) -> list[str]:
    """The packages of other series, flavours and sources, which must go."""
    kernels = plan["kernels"]
    mine = for_kernels(choice.offer["compute"] + choice.offer["graphics"], choice, kernels)
    if plan["method"] == "package":
        nvidia = platform_of_method(own, "repository")
        others = [nvidia] if nvidia and nvidia["offers"] is not own["offers"] else []
        foreign = other_names(others, kernels, str(choice.offer["branch"])) + ([PINS] if others else [])
    else:
        foreign = other_names([own], kernels, "") if own["offers"] is not platform["offers"] else []
        foreign += [PINS] if plan["pinning"] else []
    names = dict.fromkeys(driver_names(platform, kernels) + foreign)
    return [name for name in names if name not in (*plan["packages"], *mine)]


PINS = "nvidia-driver-pinning-*"


def _package_files(
    plan: dict[str, Any], choice: Choice, facts: dict[str, Any], wants: dict[str, Any], own: dict[str, Any]
) -> list[dict[str, Any]]:
    """The package manager's files: the archive's components, NVIDIA's repository, unattended upgrades.

    For a runfile the archives stay as they are: what is replaced could otherwise not be put back.
    """
    unattended = files.unattended_file(own["driver_names"])
    if wants["unattended_upgrades_enabled"]:
        unattended = files.absent(files.UNATTENDED)
    if wants["method"] == "runfile":
        return [unattended]
    suites = [name.format(codename=own["codename"]) for name in own["suites"]]
    components, allowed = choice.offer["components"], wants["repositories_ok"]
    plan["repository"], found = repository_of(facts, own["codename"], suites, components, allowed)
    plan["findings"] += found
    result = [plan["repository"] or files.absent(PATH)]
    source = repository_for(own["name"], wants["repository_url"], wants["repository_key"])
    if source and wants["method"] == "repository":
        file, plan["repository_key"], found = file_and_key(facts, source, allowed)
        plan["findings"] += found
        result.append(file or files.absent(source["path"]))
        plan["repository"] = file or plan["repository"]
    elif source:
        result += [files.absent(source["path"]), files.absent(source["key"]["path"])]
    return [*result, unattended]
