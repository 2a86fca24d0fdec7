# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the facts of a host, the stack that was chosen for it and the wants of its owner to one plan for CUDA.

Pure: no clock, no files of the host. The same input gives the same plan; a host that is as declared needs no steps.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import cuda_files as files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import cuda_findings as found
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import cuda_toolkits as toolkits
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue, load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_distributions import distribution_toolkit
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_proof import proofs
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_removal import plan_absent
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_repository import archive_files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_files import is_taken
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import ordered

DEFAULTS: dict[str, Any] = {
    "state": "present",
    "versions": [],
    "method": "auto",
    "default": None,
    "repository_url": None,
    "repository_key": None,
    "runfiles": {},
    "protect_driver_enabled": False,
    "cudnn_enabled": False,
    "environment_enabled": True,
    "proof_enabled": True,
    "proof_run_enabled": True,
    "hold_enabled": True,
    "repositories_ok": True,
}


def cuda_plan(
    facts: dict[str, Any], stack: dict[str, Any], wants: dict[str, Any], catalogue: Catalogue | None = None
) -> dict[str, Any]:
    """The plan for one host; its shape is in the documentation of the filter gpufleet.nvidia.cuda_plan.

    :param stack: the result of the filter gpufleet.nvidia.stack; its ``cuda`` and its findings are read
    :param wants: the variables of the role cuda without their prefix; what is missing takes its default
    """
    catalogue = catalogue or load()
    wants = {**DEFAULTS, **wants}
    wants["runfiles"] = {toolkits.release_of(key): value for key, value in (wants["runfiles"] or {}).items()}
    system = facts.get("system") or {}
    platform = catalogue.platform(system.get("distribution"), system.get("version"))
    plan = _empty(wants)
    if wants["state"] == "absent":
        plan_absent(plan, facts, wants)
    elif wants["versions"]:
        plan["findings"] = found.of_stack(stack)
        _plan_present(plan, facts, stack, wants, platform, catalogue)
    else:
        plan["skipped"] = "cuda_versions names no toolkit, so nothing is done. Name one, such as 12.6, or auto."
    plan["findings"] = ordered(plan["findings"])
    plan["idle"] = not plan["steps"]
    return plan


def _empty(wants: dict[str, Any]) -> dict[str, Any]:
    return {
        "state": wants["state"],
        "method": None,
        "skipped": None,
        "toolkits": [],
        "packages": [],
        "companions": [],
        "hold": None,
        "hold_also": [],
        "driver_libraries_ok": False,
        "repository": None,
        "key": None,
        "package_files": [],
        "files": [],
        "runfiles": [],
        "link": None,
        "remove": [],
        "proofs": [],
        "steps": [],
        "deviations": [],
        "findings": [],
        "idle": True,
    }


def _plan_present(
    plan: dict[str, Any],
    facts: dict[str, Any],
    stack: dict[str, Any],
    wants: dict[str, Any],
    platform: dict[str, Any] | None,
    catalogue: Catalogue,
) -> None:
    chosen = stack.get("cuda") or {}
    method = toolkits.method_of(facts, chosen, wants, platform)
    updates = toolkits.asked_updates(wants)
    rows = [
        toolkits.toolkit_of(row["release"], updates.get(row["release"]), method, facts, platform)
        for row in chosen.get("releases") or []
    ]
    missing = [row for row in rows if not row["present"]]
    plan.update(method=method, toolkits=rows)
    plan["findings"] += [
        *found.method_findings(facts, method, wants, bool(missing)),
        *found.distribution_findings(rows, distribution_toolkit((platform or {}).get("name")), platform),
        *found.mixed_findings(facts, rows),
        *found.update_findings(wants, catalogue),
        *found.runfile_findings(rows, wants["runfiles"], (facts.get("system") or {}).get("machine"), catalogue),
        *found.default_findings(rows, wants),
        *found.other_findings(rows, method, wants, facts),
    ]
    if method == "runfile":
        _runfiles(plan, missing, wants)
    else:
        _packages(plan, facts, rows, missing, wants, platform)
    owner = "driver" if (stack.get("driver") or {}).get("method") == "repository" else "cuda"
    archive_files(plan, facts, wants, platform, owner)
    default = toolkits.default_of(rows, wants)
    _environment(plan, facts, rows, default, wants)
    _link(plan, facts, rows, default)
    plan["proofs"] = proofs(rows, facts, wants["proof_run_enabled"]) if wants["proof_enabled"] else []
    if any(row["severity"] == "error" for row in plan["findings"]):
        plan["steps"] = []


def _packages(
    plan: dict[str, Any],
    facts: dict[str, Any],
    rows: list[dict[str, Any]],
    missing: list[dict[str, Any]],
    wants: dict[str, Any],
    platform: dict[str, Any] | None,
) -> None:
    """What the package manager is asked for: nothing when all is there and held as declared."""
    method = plan["method"]
    known = {row["name"]: row for row in (facts.get("cuda") or {}).get("packages") or []}
    names = [name for row in rows for name in row["packages"] if row in missing]
    cudnn = [f"cudnn9-cuda-{major}" for major in dict.fromkeys(row["release"].split(".")[0] for row in rows)]
    cudnn = cudnn if wants["cudnn_enabled"] and method == "repository" else []
    names += [name for name in cudnn if name not in known]
    ours = [name.split("=")[0] for row in rows if row["source"] in (None, method) for name in row["packages"]]
    ours = [name for name in [*ours, *cudnn] if name in known]
    unheld = [name for name in ours if known[name].get("held") is not wants["hold_enabled"]]
    install = ((facts.get("driver") or {}).get("install") or {}).get("method")
    plan["packages"] = list(dict.fromkeys([*names, *unheld]))
    own = distribution_toolkit((platform or {}).get("name")) if method == "distribution" else None
    plan["companions"] = list(own["companions"]) if own and names else []
    plan["hold"] = bool(wants["hold_enabled"]) if plan["packages"] else None
    plan["hold_also"] = toolkits.parts(rows) if method == "repository" else []
    plan["driver_libraries_ok"] = method == "distribution" and install == "none" and not toolkits.is_grid_guest(facts)
    plan["steps"] += [f"Install {', '.join(dict.fromkeys(names))}"] if names else []
    loose = [name for name in unheld if name not in names]
    plan["steps"] += [f"{'Hold' if wants['hold_enabled'] else 'Release'} {', '.join(loose)}"] if loose else []
    plan["deviations"] += [f"CUDA {row['release']} is not installed." for row in missing]
    plan["deviations"] += [f"{name} is not installed." for name in cudnn if name not in known]
    plan["deviations"] += [f"{name} is {'not' if wants['hold_enabled'] else 'still'} held." for name in loose]


def _runfiles(plan: dict[str, Any], missing: list[dict[str, Any]], wants: dict[str, Any]) -> None:
    for row in missing:
        given = wants["runfiles"].get(row["release"]) or {}
        plan["runfiles"].append(
            {
                "release": row["release"],
                "src": given.get("src"),
                "sha256": given.get("sha256"),
                "remote_src": bool(given.get("remote_src", False)),
                "toolkit_path": row["path"],
            }
        )
        plan["steps"].append(f"Install CUDA {row['release']} from {given.get('src')}, without its driver")
        plan["deviations"].append(f"CUDA {row['release']} is not installed.")


def _environment(
    plan: dict[str, Any],
    facts: dict[str, Any],
    rows: list[dict[str, Any]],
    default: dict[str, Any] | None,
    wants: dict[str, Any],
) -> None:
    """The paths for everybody; a toolkit in /usr needs none."""
    major = default["release"].split(".")[0] if default else ""
    others = [
        r["path"] for r in rows if r["path"] != "/usr" and r is not default and r["release"].split(".")[0] != major
    ]
    plan["files"] = files.environment_files(others, bool(default and wants["environment_enabled"]))
    seen = (facts.get("cuda") or {}).get("files") or {}
    for file in [*plan["package_files"], *plan["files"]]:
        if not files.is_current(file, seen) or is_taken(facts, "cuda", file):
            plan["steps"].append(f"{'Remove' if file.get('state') == 'absent' else 'Write'} {file['path']}")
            plan["deviations"].append(f"{file['path']} is not what the role writes.")


def _link(
    plan: dict[str, Any], facts: dict[str, Any], rows: list[dict[str, Any]], default: dict[str, Any] | None
) -> None:
    """``/usr/local/cuda``, an alternative among the toolkits."""
    if default is None or default["path"] == files.DEFAULT:
        return
    own = [row for row in rows if row["path"] not in ("/usr", files.DEFAULT)]
    seen = (facts.get("cuda") or {}).get("default") or {}
    plan["link"] = {
        "path": default["path"],
        "choices": [{"path": row["path"], "priority": toolkits.priority_of(row["release"])} for row in own],
    }
    if seen.get("path") != default["path"] or not seen.get("alternatives"):
        plan["steps"].append(f"Let {files.DEFAULT} mean {default['path']}")
    if seen.get("path") != default["path"]:
        plan["deviations"].append(f"{files.DEFAULT} is {seen.get('path') or 'absent'}, not {default['path']}.")
