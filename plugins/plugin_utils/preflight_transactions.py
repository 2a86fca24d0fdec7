# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles will ask the package manager for, as the module `preflight` wants it."""

from __future__ import annotations

from typing import Any

SOURCES = ("/sources.list.d/", "/yum.repos.d/", "/zypp/repos.d/")


def transactions(plans: dict[str, dict[str, Any]], pending: list[str], wants: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each role that will ask for packages, in the order in which they run."""
    rows = []
    for role in pending:
        plan = plans[role]
        if role == "nvidia_driver":
            rows += _driver(plan, wants[role])
        elif plan.get("packages"):
            rows.append(_beside(role, plan, after_driver="nvidia_driver" in pending))
    return rows


def _driver(plan: dict[str, Any], wants: dict[str, Any]) -> list[dict[str, Any]]:
    """Empty for a removal: what only takes away needs nothing of a repository."""
    if plan.get("state") == "absent":
        return []
    headers, kernels, nvml = plan["header_packages"], plan["kernels"], plan["nvml_packages"]
    row = {"name": "nvidia_driver", "header_packages": headers, "kernels": kernels, "sources": sources_of(plan)}
    if plan.get("runfile"):
        return [{**row, "packages": [*(plan.get("build_packages") or []), *nvml], "after_driver": True}]
    if not plan["packages"]:
        return []
    row.update(
        driver=True,
        packages=[*plan["packages"], *nvml],
        remove=plan["remove"],
        upgrade=bool(plan.get("upgrade")),
        kernel_change_ok=bool(wants.get("kernel_change_ok")),
    )
    for key in ("version", "branch"):
        if plan.get(key):
            row[key] = str(plan[key])
    return [row]


def _beside(role: str, plan: dict[str, Any], after_driver: bool) -> dict[str, Any]:
    return {
        "name": role,
        "packages": plan["packages"],
        "hold_also": plan.get("hold_also") or [],
        "driver_libraries_ok": bool(plan.get("driver_libraries_ok")),
        "upgrade": bool(plan.get("upgrade")),
        "after_driver": after_driver,
        "sources": sources_of(plan),
    }


def sources_of(plan: dict[str, Any]) -> list[dict[str, str]]:
    """Files that name repositories, which the role writes before it asks for packages."""
    files = [*(plan.get("package_files") or []), *([plan["repository"]] if plan.get("repository") else [])]
    found = {
        row["path"]: row["content"]
        for row in files
        if row.get("content") is not None and any(folder in row["path"] for folder in SOURCES)
    }
    return [{"path": path, "content": content} for path, content in found.items()]
