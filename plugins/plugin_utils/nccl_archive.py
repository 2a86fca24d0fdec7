# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where NCCL's packages come from: the distribution's archive or NVIDIA's repository, enabled only when needed."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_nvidia_repository import file_and_key
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_repository import repository_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_sources import repository_for
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.nccl_findings import repository_findings


def archive(
    plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any], platform: dict[str, Any] | None, owner: str
) -> None:
    """The archive's file and key, where something is to be installed; an entry that the host has is used as it is.

    :param owner: the role that the file of NVIDIA's repository belongs to: apt refuses two keys for one archive
    """
    if not plan["packages"] or platform is None or platform["package_manager"] != "apt":
        return
    findings: list[dict[str, str]] = []
    if plan["method"] == "distribution":
        suites = [name.format(codename=platform["codename"]) for name in platform["suites"]]
        components = platform.get("components") or []
        plan["repository"], findings = repository_of(
            facts, platform["codename"], suites, components, wants["repositories_ok"]
        )
    elif plan["method"] == "repository":
        source = repository_for(platform["name"], wants["repository_url"], wants["repository_key"], owner)
        if source is None:
            findings = repository_findings(plan["method"], platform["name"])
        else:
            plan["repository"], plan["key"], findings = file_and_key(facts, source, wants["repositories_ok"])
    plan["findings"] += [
        {**row, "text": row["text"].replace("nvidia_driver_repositor", "nccl_repositor")} for row in findings
    ]
