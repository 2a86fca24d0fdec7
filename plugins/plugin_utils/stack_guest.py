# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver of a vGPU guest: it belongs to the vGPU release of its host, so everything else must fit it."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_gpus import supports_branch
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import branch_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import Host, guest_version
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_wants import nearest
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

Findings = list[dict[str, str]]


def guest_driver(vgpu: str | None, catalogue: Catalogue) -> tuple[str | None, Findings]:
    """The guest driver of a vGPU software release such as 19.2, or the newest of 19; an error when it is not known."""
    if vgpu is None:
        return None, []
    known = {
        name: row for line in catalogue.vgpu.values() for name, row in line["releases"].items() if row.get("guest")
    }
    names = [name for name in known if name == vgpu or name.split(".")[0] == vgpu]
    if names:
        return str(known[max(names, key=version_key)]["guest"]), []
    near = listed(nearest(vgpu, sorted(known, key=version_key, reverse=True)))
    text = (
        f"The drivers of vGPU software {vgpu} are not in the catalogue; the nearest known releases are {near}. Ask for"
        " one of them, in quotes."
    )
    return None, [error("vgpu_unknown", text)]


def fixed_plan(host: Host, vgpu: str | None) -> dict[str, Any]:
    """The driver's part of the stack on a guest: nothing is installed by it, so everything but the version is empty."""
    plan = driver_plan({}, {"state": host.driver["state"]}, host.catalogue)
    name = (host.platform or {}).get("name")
    plan.update(
        fixed=True,
        method="grid",
        version=host.fixed,
        branch=branch_of(host.fixed) if host.fixed else None,
        platform={"name": name, "package_manager": (host.platform or {}).get("package_manager")},
        findings=[],
        why={"branch": _why(host, vgpu)},
    )
    return plan


def _why(host: Host, vgpu: str | None) -> str:
    if host.fixed is None:
        return "The driver of this vGPU guest is not known."
    reason = (
        f"vGPU software {vgpu} has it for guests" if vgpu else "is the one of this vGPU guest, which its host decides"
    )
    return f"Driver {host.fixed}: {reason}."


def guest_findings(host: Host, vgpu: str | None, asks: bool) -> Findings:
    """:param asks: whether anything that needs the driver's version is wanted"""
    found: Findings = []
    for option in ("branch", "version"):
        asked = host.driver[option]
        if asked and host.fixed and str(asked) not in (host.fixed, host.fixed.split(".")[0]):
            text = (
                f"nvidia_driver_{option} is {asked}, but this host's driver is a vGPU guest's, {host.fixed}: the vGPU"
                f" release of its host decides it. Remove nvidia_driver_{option} from this host."
            )
            found.append(error("want_conflict", text))
    if host.fixed is None:
        text = (
            "This is a vGPU guest, and no driver is installed on it: which version it gets is decided by the vGPU"
            " release of its host. Install the guest driver first, or say which release it is (the want vgpu)."
        )
        make = error if asks or host.driver["branch"] or host.driver["version"] else warning
        return [*found, make("grid_driver_unknown", text)]
    there = guest_version(host.facts)
    if vgpu and there and there != host.fixed:
        text = (
            f"The guest driver {there} is installed, and vGPU software {vgpu} has {host.fixed} for guests. Update host"
            " and guest together."
        )
        found.append(note("grid_driver_differs", text))
    branch = branch_of(host.fixed)
    for card in host.cards:
        if not supports_branch(card.gpu, branch, branch, host.catalogue):
            rules = host.catalogue.architectures[str(card.gpu.architecture)]
            text = (
                f"Branch {branch} of the guest driver {host.fixed} does not drive {card.gpu} ({rules['title']}), which"
                f" ends with branch {rules['last_branch'] or 'none'} and begins with {rules['first_branch'] or 'any'}."
                " Take another vGPU release."
            )
            found.append(error("vgpu_gpu_unsupported", text, host.catalogue.cite(rules["src"])))
    return found
