# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of NCCL, and what a program would get instead of it."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, warning

Findings = list[dict[str, str]]


def of_stack(stack: dict[str, Any]) -> Findings:
    """The resolver's findings about NCCL, and its errors about CUDA, which NCCL depends on."""
    rows = stack.get("findings") or []
    return [
        row
        for row in rows
        if row["code"].startswith("nccl_") or (row["code"].startswith("cuda_") and row["severity"] == "error")
    ]


def hpcsdk_findings(package: str | None) -> Findings:
    if package:
        return []
    text = (
        "nccl_method is hpcsdk, and nccl_hpcsdk_package does not say which release of the HPC SDK: name its package,"
        " such as nvhpc-25-9, and enable NVIDIA's HPC SDK repository on the host (it is not the repository of CUDA)."
    )
    return [error("nccl_hpcsdk_unnamed", text)]


def repository_findings(method: str | None, name: str) -> Findings:
    text = f"NVIDIA has no repository for {name}, so nccl_method: {method} means nothing. Set distribution or hpcsdk."
    return [error("nccl_repository_not_offered", text)]


def shadowed(default: dict[str, Any], version: str) -> dict[str, str]:
    text = (
        f"A program that asks for NCCL gets {default['path']} ({default['version'] or 'of unknown version'}), which the"
        f" linker finds before the packaged {version}. Remove that file, or its folder from /etc/ld.so.conf.d, and run"
        " ldconfig. PyTorch and JAX bring a copy of their own and are not touched by either."
    )
    return warning("nccl_shadowed", text)
