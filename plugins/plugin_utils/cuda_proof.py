# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a proof of a toolkit is to show: which release, and for which GPUs its compiler must have code."""

from __future__ import annotations

from typing import Any


def capabilities(facts: dict[str, Any]) -> list[str]:
    """The compute capabilities of the GPUs that NVML shows, such as ``["5.0", "6.1"]``."""
    return sorted({str(gpu["compute_capability"]) for gpu in facts.get("gpus") or [] if gpu.get("compute_capability")})


def proofs(rows: list[dict[str, Any]], facts: dict[str, Any], run: bool) -> list[dict[str, Any]]:
    """``[{nvcc, release, capabilities, run}]``: the parameters of the module nvcc_proof, a row a toolkit."""
    return [
        {
            "nvcc": row["nvcc"],
            "release": row["release"],
            "capabilities": capabilities(facts),
            "run": run and bool((facts.get("nvml") or {}).get("available") and facts.get("gpus")),
        }
        for row in rows
    ]
