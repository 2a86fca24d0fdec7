# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to change on hosts before their devices can be made, in the order in which it has to be done."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_placement import Table

ORDER = ("sriov", "mig_mode", "heterogeneous", "gpu_instances")


def is_mixed(table: Table) -> bool:
    """Whether a card needs the mixed-size mode for what it is to have."""
    return table.mode == "mixed" and len({kind.size for kind in [*table.kept, *table.added]}) > 1


def of_table(table: Table) -> list[dict[str, Any]]:
    card, rows = table.card, []

    def row(change: str, text: str, **more: Any) -> None:
        rows.append({"host": card.host, "card": card.address, "change": change, "text": text, **more})

    wanted = len(table.kept) + len(table.added)
    if table.added and card.on_functions and card.enabled < wanted:
        row(
            "sriov",
            f"Enable the virtual functions of {card.address} on {card.host}: {card.enabled} are there, {wanted} are"
            f" needed (sriov-manage -e {card.address}).",
        )
    if table.changed:
        row("mig_mode", f"Put {card.address} on {card.host} into MIG mode.")
    if is_mixed(table) and not card.mixed:
        row(
            "heterogeneous",
            f"Put {card.address} on {card.host} into heterogeneous mode, while no vGPU runs there.",
        )
    if table.mode == "mig":
        for kind, count in sorted(Counter(table.added).items(), key=lambda pair: pair[0].id):
            missing = count - (kind.available or 0)
            if missing > 0:
                text = f"Make {missing} GPU instance{'s' if missing > 1 else ''} for {kind.name} on {card.address}"
                row("gpu_instances", f"{text} of {card.host}.", profile=kind.name, count=missing)
    return rows


def changes(tables: list[Table]) -> list[dict[str, Any]]:
    """Each change with ``host``, ``card``, ``change`` and a sentence, in an order that works."""
    rows = [row for table in tables for row in of_table(table)]
    return sorted(rows, key=lambda row: (row["host"], ORDER.index(row["change"]), row["card"]))
