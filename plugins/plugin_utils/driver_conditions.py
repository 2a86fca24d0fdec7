# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a driver's way on this host besides its GPUs: other installations, Secure Boot, the kind of place."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_gpus import Gpu, is_alpha
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import Choice, branch_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

Findings = list[dict[str, str]]
NEEDED = {"system": "system", "kernel": "kernel", "pci": "pci", "driver": "driver"}


def facts_findings(facts: dict[str, Any]) -> Findings:
    """An error when the facts lack a part that a plan needs."""
    missing = [subset for key, subset in NEEDED.items() if facts.get(key) is None]
    if not missing:
        return []
    text = (
        f"The host's facts lack {listed(missing)}: run gpufleet.nvidia.gpu_facts with gather_subset: all (the default)"
        " before planning."
    )
    return [error("facts_missing", text)]


def platform_findings(facts: dict[str, Any], platform: dict[str, Any] | None, catalogue: Catalogue) -> Findings:
    """Errors for a distribution, release or machine that the catalogue lacks, or that nothing here can converge yet."""
    system = facts.get("system") or {}
    name = f"{system.get('distribution')} {system.get('version') or ''}".strip()
    if platform is None:
        text = (
            f"The distribution {name} is not in the catalogue: drivers are planned for {listed(catalogue.supported())}."
            " Use one of them."
        )
        return [error("platform_unsupported", text)]
    found = []
    if system.get("machine") not in platform["machines"]:
        text = (
            f"The machine type {system.get('machine')} is not in the catalogue for {platform['name']}, which has "
            f"{listed(platform['machines'])}: nothing is guessed for it."
        )
        found.append(error("machine_unsupported", text))
    if not platform["applied_by"]:
        text = (
            f"{platform['name']} can be planned but not yet converged: no module here drives"
            f" {platform['package_manager']}. Run the plan's commands by hand, then playbooks/verify.yml."
        )
        found.append(error("platform_not_applied", text))
    if platform.get("needs_repository"):
        text = (
            f"The packages of {platform['name']} come from {platform['needs_repository']}, which must be enabled"
            " already."
        )
        found.append(note("repository_needed", text, catalogue.cite(platform["src"])))
    return found


def place_findings(facts: dict[str, Any]) -> Findings:
    """Errors where NVIDIA's vGPU driver belongs instead of another one."""
    place = "vgpu_guest" if (facts.get("grid") or {}).get("installed") else facts.get("place") or ""
    what = {"vgpu_guest": "a vGPU guest needs the GRID driver", "vgpu_host": "a vGPU host needs the vGPU manager"}.get(
        place
    )
    if not what:
        return []
    text = (
        f"This host is not for such a driver: {what} of its vGPU software release, and another one would replace it."
        " Take the host out of the groups that run nvidia_driver."
    )
    return [error("vgpu_place", text)]


def installation_findings(facts: dict[str, Any], wants: dict[str, Any]) -> Findings:
    """Leftovers of NVIDIA's runfile: refused, or announced, as the variables say."""
    install = (facts.get("driver") or {}).get("install") or {}
    runfile = install.get("runfile")
    if not runfile and install.get("method") not in ("runfile", "mixed"):
        return []
    if wants["method"] == "runfile" and (wants["state"] == "absent" or install.get("method") == "runfile"):
        return []
    version = f" {runfile['version']}" if runfile and runfile.get("version") else ""
    where = runfile["uninstaller"] if runfile and runfile.get("uninstaller") else "/usr/bin/nvidia-uninstall"
    mixed = (
        " besides distribution packages, so that each overwrites the other's files"
        if install.get("method") == "mixed"
        else ""
    )
    what = f"A driver{version} from NVIDIA's runfile is installed on this host{mixed}"
    if wants["runfile_removal_ok"]:
        return [note("runfile_removed", f"{what}; it is removed with {where} before the packages come.")]
    if wants["state"] == "absent":
        return [
            warning(
                "runfile_kept",
                f"{what} and is left alone. Set nvidia_driver_runfile_removal_ok: true to have {where} remove it.",
            )
        ]
    text = (
        f"{what}; packages cannot be installed over it. Set nvidia_driver_runfile_removal_ok: true to have it removed,"
        f" or run {where} --silent on the host."
    )
    return [error("runfile_installed", text)]


def foreign_findings(facts: dict[str, Any], platform: dict[str, Any], wants: dict[str, Any]) -> Findings:
    """An error when a foreign branch is installed from packages and no branch is named: it never changes silently."""
    driver = facts.get("driver") or {}
    if (
        wants["method"] == "runfile"
        or wants["branch"]
        or wants["version"]
        or (driver.get("install") or {}).get("method") not in ("packages", "mixed")
    ):
        return []
    rows = [row["version"] for row in (driver.get("on_disk") or {}).values() if row and row.get("version")]
    versions = {version for version in rows if version_key(version)}
    offers = [(row["branch"], row["branch_min"]) for row in platform["offers"]]
    foreign = sorted(
        version
        for version in versions
        if not any(
            branch_of(version) == branch or (branch is None and branch_of(version) >= low) for branch, low in offers
        )
    )
    if not foreign:
        return []
    branches = listed(list(dict.fromkeys(str(branch or low) for branch, low in offers)))
    text = (
        f"Driver {listed(foreign)} is installed from packages that are not {platform['name']}'s own (it has"
        f" {branches}), and no branch is asked for: another branch is never taken by accident. Set nvidia_driver_branch"
        " to the one that you want."
    )
    return [error("driver_foreign", text)]


def alpha_findings(choice: Choice, gpus: list[Gpu], wants: dict[str, Any], catalogue: Catalogue) -> Findings:
    """What the branch's README says against open modules on these boards, when they are taken all the same."""
    rough = [gpu for gpu in gpus if is_alpha(gpu, choice.branch, catalogue)]
    if choice.flavour != "open" or not rough:
        return []
    branch = catalogue.branches[choice.branch]
    parameter, source = branch["open_modules_parameter"], catalogue.cite(branch["src"])
    boards = listed([str(gpu) for gpu in rough])
    if str(wants["module_parameters"].get(parameter)) in ("1", "True"):
        return [
            warning(
                "open_modules_alpha",
                f"The open kernel modules of branch {choice.branch} are of alpha quality on {boards}.",
                source,
            )
        ]
    text = (
        f"The open kernel modules of branch {choice.branch} are of alpha quality on {boards} and drive them only with"
        f" {parameter}=1. Set nvidia_driver_flavour: proprietary, or add {parameter}: 1 to"
        " nvidia_driver_module_parameters."
    )
    return [error("open_modules_alpha", text, source)]


def support_findings(branch: int | None, catalogue: Catalogue) -> Findings:
    """A note on how long NVIDIA supports the branch."""
    row = catalogue.branches.get(branch or 0, {})
    if row.get("eol") is None:
        return []
    when = "has ended" if row["eol"] == "past" else f"lasts until {row['eol']}"
    return [note("branch_support", f"NVIDIA's own support for branch {branch} {when}.", catalogue.cite(row["src"]))]
