# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where packages of CUDA come from, NVIDIA's repository or the distribution's, and what is never taken from it."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import cuda_files as files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_toolkits import is_grid_guest
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_nvidia_repository import file_and_key
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_repository import repository_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_sources import repository_for


def archive_files(
    plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any], platform: dict[str, Any] | None, owner: str
) -> None:
    """The archive's file and key, where something is to be installed, and the preferences that guard the driver.

    :param owner: the role that the file of NVIDIA's repository belongs to, ``cuda`` or ``driver``
    """
    missing = bool(plan["packages"])
    if platform is None or plan["method"] not in ("repository", "distribution"):
        return
    # apt refuses two keys for one archive: the driver's own file serves both where the driver comes from there as well
    source = repository_for(platform["name"], wants["repository_url"], wants["repository_key"], owner)
    apt = platform["package_manager"] == "apt"
    if missing and apt and plan["method"] == "distribution":
        suites = [name.format(codename=platform["codename"]) for name in platform["suites"]]
        components = platform.get("components") or []
        file, findings = repository_of(facts, platform["codename"], suites, components, wants["repositories_ok"])
        plan["repository"] = file
        plan["findings"] += findings
    elif missing and plan["method"] == "repository" and source is None:
        text = (
            f"NVIDIA's own repository has no packages for {platform['name']}. Set cuda_method: distribution or runfile."
        )
        plan["findings"].append(error("repository_not_offered", text))
    elif missing and plan["method"] == "repository" and source and apt:
        plan["repository"], plan["key"], findings = file_and_key(facts, source, wants["repositories_ok"])
        plan["findings"] += [_ours(row) for row in findings]
    if apt:
        plan["package_files"] = [_preferences(facts, wants, source)]


def _preferences(facts: dict[str, Any], wants: dict[str, Any], source: dict[str, Any] | None) -> dict[str, Any]:
    if not wants["protect_driver_enabled"]:
        return {"path": files.PREFERENCES, "state": "absent"}
    url = None if is_grid_guest(facts) or source is None else source["url"]
    return {"path": files.PREFERENCES, "content": files.preferences_text(url), "mode": "0644"}


def _ours(row: dict[str, str]) -> dict[str, str]:
    """The finding with the names of this role's variables."""
    return {**row, "text": row["text"].replace("nvidia_driver_repositor", "cuda_repositor")}
