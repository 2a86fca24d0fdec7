# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that several parts ask of the catalogue's tables; the answer is None where a table does not know."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key


def targets(release: dict[str, Any], capability: str) -> bool | None:
    """Whether the CUDA release, a row of the table, is made for GPUs of this compute capability."""
    span = release.get("compute_capabilities")
    if not span or not version_key(capability):
        return None
    if capability in span.get("without", []):
        return False
    low = version_key(span["min"])
    high = version_key(span["max"]) if span.get("max") else None
    return low <= version_key(capability) and (high is None or version_key(capability) <= high)


def in_repository(cuda: dict[str, Any], release: str, folder: str) -> bool | None:
    """Whether NVIDIA's repository *folder* (``debian12``) has the CUDA release; *cuda* is the whole table."""
    row = cuda["repositories"].get(folder)
    if row and version_key(release) < version_key(row["first"]):
        return False
    named = cuda["releases"].get(release, {}).get("distributions")
    return folder in named if named else None
