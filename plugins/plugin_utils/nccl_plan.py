# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the facts of a host, the stack that was chosen for it and the wants of its owner to one plan for NCCL.

Pure: no clock, no files of the host. The same input gives the same plan; a host that is as declared needs no steps.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import nccl_findings as found
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue, load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import ordered
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.nccl_archive import archive

DEFAULTS: dict[str, Any] = {
    "state": "present",
    "version": None,
    "method": "auto",
    "development_enabled": False,
    "hpcsdk_package": None,
    "hold_enabled": True,
    "repositories_ok": True,
    "repository_url": None,
    "repository_key": None,
}
# By package manager: the library's package and the one for building programs with it.
PACKAGES = {
    "apt": ("libnccl2", "libnccl-dev"),
    "dnf": ("libnccl", "libnccl-devel"),
    "zypper": ("libnccl", "libnccl-devel"),
}
OURS = ("libnccl2", "libnccl-dev", "libnccl", "libnccl-devel")


def nccl_plan(
    facts: dict[str, Any], stack: dict[str, Any], wants: dict[str, Any], catalogue: Catalogue | None = None
) -> dict[str, Any]:
    """The plan for one host; its shape is in the documentation of the filter gpufleet.nvidia.nccl_plan.

    :param stack: the result of the filter gpufleet.nvidia.stack; its ``nccl``, ``cuda`` and findings are read
    :param wants: the variables of the role nccl without their prefix; what is missing takes its default
    """
    catalogue = catalogue or load()
    wants = {**DEFAULTS, **wants}
    system = facts.get("system") or {}
    platform = catalogue.platform(system.get("distribution"), system.get("version"))
    plan: dict[str, Any] = {
        "state": wants["state"],
        "method": None,
        "version": None,
        "skipped": None,
        "packages": [],
        "hold": None,
        "repository": None,
        "key": None,
        "refresh_linker": False,
        "remove": [],
        "steps": [],
        "deviations": [],
        "findings": [],
    }
    if wants["state"] == "absent":
        _plan_absent(plan, facts, wants)
    elif wants["version"]:
        _plan_present(plan, facts, stack, wants, platform)
    else:
        plan["skipped"] = "nccl_version is not set, so nothing is done. Set it to auto, or to a version such as 2.23.4."
    if any(row["severity"] == "error" for row in plan["findings"]):
        plan["steps"] = []
    plan["findings"] = ordered(plan["findings"])
    plan["idle"] = not plan["steps"]
    return plan


def _installed(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in (facts.get("nccl") or {}).get("packages") or []}


def _plan_present(
    plan: dict[str, Any],
    facts: dict[str, Any],
    stack: dict[str, Any],
    wants: dict[str, Any],
    platform: dict[str, Any] | None,
) -> None:
    chosen = stack.get("nccl") or {}
    plan.update(method=chosen.get("method"), version=chosen.get("version"))
    plan["findings"] = found.of_stack(stack)
    if plan["method"] == "hpcsdk":
        wanted: dict[str, str | None] = {wants["hpcsdk_package"]: None} if wants["hpcsdk_package"] else {}
        plan["findings"] += found.hpcsdk_findings(wants["hpcsdk_package"])
    else:
        names = PACKAGES.get((platform or {}).get("package_manager") or "", PACKAGES["apt"])
        wanted = {name: chosen.get("package") for name in names[: 2 if wants["development_enabled"] else 1]}
        wanted = wanted if chosen.get("package") else {}
    _packages(plan, facts, wanted, wants)
    owner = "driver" if (stack.get("driver") or {}).get("method") == "repository" else "cuda"
    archive(plan, facts, wants, platform, owner)
    if plan["method"] != "hpcsdk" and wanted:
        _linker(plan, facts, chosen.get("version"))


def _packages(
    plan: dict[str, Any], facts: dict[str, Any], wanted: dict[str, str | None], wants: dict[str, Any]
) -> None:
    """What the package manager is asked for: nothing when all is there at its version and held as declared."""
    known = _installed(facts)
    missing = [name for name, version in wanted.items() if name not in known or not _is(known[name], version)]
    loose = [
        name for name in wanted if name not in missing and bool(known[name]["held"]) is not bool(wants["hold_enabled"])
    ]
    plan["packages"] = [
        f"{name}={wanted[name]}" if wanted[name] else name for name in wanted if name in missing + loose
    ]
    plan["hold"] = bool(wants["hold_enabled"]) if plan["packages"] else None
    for name in missing:
        has = f"{known[name]['version']} is installed" if name in known else "it is not installed"
        plan["steps"].append(f"Install {name} {wanted[name] or ''}".strip())
        plan["deviations"].append(f"{name} must be {wanted[name] or 'there'}, and {has}.")
    for name in loose:
        plan["steps"].append(f"{'Hold' if wants['hold_enabled'] else 'Release'} {name}")
        plan["deviations"].append(f"{name} is {'not' if wants['hold_enabled'] else 'still'} held.")


def _is(package: dict[str, Any], version: str | None) -> bool:
    """Whether the installed package is of that version, which may leave out the packaging revision."""
    has = str(package["version"])
    return version is None or has == version or has.startswith(f"{version}-")


def _linker(plan: dict[str, Any], facts: dict[str, Any], version: str | None) -> None:
    """Whether a program gets the library of the package: the linker's cache decides, and its order."""
    nccl = facts.get("nccl") or {}
    if any(step.startswith("Install ") for step in plan["steps"]):
        return  # its package refreshes the cache
    known = [row for row in nccl.get("libraries") or [] if row["version"] == version]
    default = nccl.get("default")
    if known and not any(row["in_cache"] for row in known):
        plan["refresh_linker"] = True
        plan["steps"].append("Refresh the linker's cache")
        plan["deviations"].append(f"The linker's cache lacks {known[0]['path']}: run ldconfig.")
    elif default and version and default["version"] != version:
        plan["findings"].append(found.shadowed(default, version))
        plan["deviations"].append(
            f"A program gets {default['path']} ({default['version'] or 'of unknown version'}), not NCCL {version}."
        )


def _plan_absent(plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any]) -> None:
    """Removes the packages of NCCL itself; of the HPC SDK only the package that is named."""
    gone = [name for name in _installed(facts) if name in OURS or name == wants["hpcsdk_package"]]
    plan["remove"] = gone
    plan["steps"] = [f"Remove {', '.join(gone)}"] if gone else []
    plan["deviations"] = [f"{name} is still installed." for name in gone]
