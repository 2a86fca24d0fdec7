# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bus bandwidth that the GPUs of a host must reach together, where such a host was measured."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import catalogue


@cache
def _table() -> dict[str, Any]:
    path = Path(catalogue.__file__).parent / "nccl_thresholds.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def nccl_threshold(facts: dict[str, Any], gpus: int | None = None) -> float | None:
    """GB/s at 1 GiB below which an all_reduce over *gpus* GPUs is too slow; None: no such host was measured.

    :param facts: ``ansible_facts['nvidia']`` with the subsets pci and nvml
    :param gpus: how many GPUs take part; None: all of the host's
    """
    devices = {row["address"]: row.get("device") for row in facts.get("pci") or [] if row.get("kind") == "gpu"}
    rows = facts.get("gpus") or []
    kinds = {devices.get(gpu.get("address")) for gpu in rows}
    linked = bool(rows) and all((gpu.get("nvlinks") or {}).get("active") for gpu in rows)
    count = gpus or len(rows)
    for measured in _table()["measured"]:
        if kinds == {measured["device"]} and count == measured["gpus"] and linked == (measured["link"] == "nvlink"):
            return round(measured["bus_bandwidth"] * _table()["share"], 1)
    return None
