# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's runfile as a way to a driver: its version, what it needs on the host, and what it may not be laid over."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import (
    VERSION,
    branch_of,
    installed_version,
    is_installed,
)

Findings = list[dict[str, str]]
IN_NAME = re.compile(r"NVIDIA-Linux-[A-Za-z0-9_]+-(\d{3}\.\d{1,3}(?:\.\d{1,3})?)")
OPEN_SINCE = 515
DIGEST = re.compile(r"[0-9a-f]{64}")


def version_of(wants: dict[str, Any]) -> str | None:
    """The version that the variables name, by themselves or by the name of the file."""
    if wants["version"]:
        return wants["version"]
    found = IN_NAME.search(str((wants["runfile"] or {}).get("src") or "").rsplit("/", maxsplit=1)[-1])
    return found.group(1) if found else None


def runfile_platform(platform: dict[str, Any], wants: dict[str, Any]) -> dict[str, Any]:
    """The platform with one offer alone: the runfile's driver, in both flavours from 515 on."""
    version = version_of(wants)
    offers = []
    if version and VERSION.fullmatch(version):
        build = "dkms" if wants["dkms_enabled"] else "runfile"
        branch = branch_of(version)
        flavours = ("open", "proprietary") if branch >= OPEN_SINCE else ("proprietary",)
        offers.append(
            {
                "series": "runfile",
                "branch": branch,
                "branch_min": branch,
                "version": version,
                "components": [],
                "compute": [],
                "graphics": [],
                "builds": {build: {flavour: {"kernel": [], "module": "nvidia"} for flavour in flavours}},
                "src": platform["src"],
            }
        )
    nvml = {**platform["nvml"], "packages": []}  # a package of nvidia-ml-py would bring the packaged libraries with it
    changed = {"nvml": nvml, "name": f"the runfile {version}", "offers": offers, "transitional": {}, "outside": {}}
    return {**platform, **changed, "precompiled_with_secure_boot": False}


def runfile_findings(facts: dict[str, Any], wants: dict[str, Any]) -> Findings:
    """Errors for a runfile that is not named well, and for packages that it may not be laid over."""
    found: Findings = []
    given = wants["runfile"] or {}
    if not given.get("src") or not DIGEST.fullmatch(str(given.get("sha256") or "")):
        text = (
            "nvidia_driver_method is runfile, but nvidia_driver_runfile does not say which: give src (an address, or a"
            " path) and sha256 (64 digits of 0-9a-f), as NVIDIA's page for the driver shows them."
        )
        found.append(error("runfile_not_named", text))
    elif version_of(wants) is None:
        text = (
            f"The version of {given['src']} cannot be told from its name. Set nvidia_driver_version, so that a host"
            " that has it already is left alone."
        )
        found.append(error("runfile_version_unknown", text))
    packages = installed_packages(facts)
    if not packages:
        return found
    what = f"A driver from packages is installed on this host ({listed(packages)})"
    if wants["package_removal_ok"]:
        text = f"{what}; the packages are removed before the runfile comes, and put back if it fails."
        return [*found, note("packages_removed", text)]
    text = (
        f"{what}; a runfile over it would leave a mixture that does not work. Set nvidia_driver_package_removal_ok:"
        " true to have the packages removed first, or nvidia_driver_method: package to keep them."
    )
    return [*found, error("packages_installed", text)]


def installed_packages(facts: dict[str, Any]) -> list[str]:
    """Names of the driver's packages that are there."""
    install = (facts.get("driver") or {}).get("install") or {}
    return [row["name"] for row in install.get("packages") or [] if is_installed(row)]


def previous(facts: dict[str, Any], companions: list[str]) -> dict[str, Any] | None:
    """What goes before the runfile comes, and is put back when that fails; None: there are no packages.

    ``{packages: [names], companions, version}``: companions are no part of the driver and need its libraries.
    """
    names = installed_packages(facts)
    return {"packages": names, "companions": list(companions), "version": installed_version(facts)} if names else None


def is_there(facts: dict[str, Any], plan: dict[str, Any]) -> bool:
    """Whether the host has this runfile's driver, libraries, modules, and DKMS them; and no packages of a driver."""
    driver = facts.get("driver") or {}
    runfile, library = (driver.get("install") or {}).get("runfile") or {}, driver.get("library") or {}
    modules = [(driver.get("on_disk") or {}).get(kernel) or {} for kernel in plan["kernels"]]
    same = {row.get("version") for row in [runfile, library, *modules]} == {plan["version"]}
    flavours = {row.get("flavour") for row in modules}
    is_ours = same and bool(modules) and flavours == {plan["flavour"]} and is_registered(facts, plan)
    return is_ours and not installed_packages(facts)


def is_registered(facts: dict[str, Any], plan: dict[str, Any]) -> bool:
    """Whether DKMS has installed the plan's version for each of its kernels, where it is to build it."""
    rows = (facts.get("driver") or {}).get("dkms")
    if rows is None or plan["build"] != "dkms":
        return True
    built = {row.get("kernel") for row in rows if (row["version"], row["state"]) == (plan["version"], "installed")}
    return built >= set(plan["kernels"])


def is_package_built(facts: dict[str, Any], plan: dict[str, Any]) -> bool:
    """Whether the modules of a package are there, and DKMS knows those that it has built.

    Not every package has them built by DKMS: one does whose modules lie where DKMS puts them, or that DKMS has.
    """
    driver = facts.get("driver") or {}
    on_disk = driver.get("on_disk") or {}
    there = [on_disk.get(kernel) or {} for kernel in plan["kernels"]]
    if any(row.get("version") != plan["version"] for row in there):
        return False
    by_dkms = any(row["version"] == plan["version"] for row in driver.get("dkms") or [])
    by_place = any("/updates/dkms/" in str(row.get("path")) for row in there)
    return not (by_dkms or by_place) or is_registered(facts, {**plan, "build": "dkms"})


def runfile_of(
    facts: dict[str, Any], wants: dict[str, Any], flavour: str, kernels: list[str], secure_boot: dict[str, Any]
) -> dict[str, Any]:
    """The options of the module gpufleet.nvidia.runfile; :param secure_boot: the plan's part of that name

    Where another module holds the cards, the installer leaves the modules alone, and the reboot brings the new ones.
    """
    given = wants["runfile"] or {}
    driver, kernel = facts.get("driver") or {}, facts.get("kernel") or {}
    held = bool(driver.get("loaded") or (facts.get("nouveau") or {}).get("loaded"))
    return {
        "src": given.get("src"),
        "remote_src": bool(given.get("remote_src", False)),
        "sha256": given.get("sha256"),
        "version": version_of(wants),
        "module_type": flavour,
        "dkms": bool(wants["dkms_enabled"]),
        "signing_key": secure_boot["private_key"] or wants["signing_key"],
        "signing_certificate": secure_boot["certificate"] or wants["signing_certificate"],
        "kernels": kernels,
        "opengl": bool(wants["graphics_enabled"]),
        "nouveau_check": False,
        "allow_running_driver": held,
        "load_modules": not held and kernels == [kernel.get("running")],
    }
