# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cards an instance runs on, and whether they are there, new enough and have the memory that is shared out."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_contradictions import cards_needed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_flags import row_at, table

SOURCE = "vllm_serve_instances"
HALF = "8.0"  # the least compute capability that has bfloat16
ROOM = 0.95  # what of a card several servers can share out: the driver's own part is not theirs
Findings = list[dict[str, str]]
Cards = list[dict[str, Any]]


def cards_of(stack: dict[str, Any]) -> Cards:
    """The host's cards in the order in which CUDA counts them when asked to go by the bus, each with its ``index``."""
    rows = sorted(stack.get("gpus") or [], key=lambda row: str(row.get("address")))
    return [{**row, "index": index} for index, row in enumerate(rows)]


def indices_of(spec: dict[str, Any]) -> list[int]:
    """The cards of an instance; without any named the first ones, as vLLM itself takes them."""
    return list(spec["gpus"]) or list(range(cards_needed(spec)))


def share_of(spec: dict[str, Any], version: str) -> float:
    row = row_at(table()["memory_shares"], version) or table()["memory_shares"][-1]
    return float(row["share"] if spec["gpu_memory_share"] is None else spec["gpu_memory_share"])


def card_findings(specs: list[dict[str, Any]], cards: Cards, version: str, least: str | None) -> Findings:
    """:param least: the least compute capability for this vLLM; None: nobody knows"""
    if not cards:
        if not specs:
            return []
        text = (
            "The host has no NVIDIA GPU that the facts know, and this vLLM needs one. Look at what gpu_facts reports,"
            " or set vllm_serve_package to a build for CPUs."
        )
        return [error("vllm_no_gpu", text)]
    found: Findings = []
    for spec in specs:
        found += _places(spec, cards) or _abilities(spec, cards, version, least)
    return found + _shares(specs, cards, version)


def _places(spec: dict[str, Any], cards: Cards) -> Findings:
    missing = [str(index) for index in indices_of(spec) if index >= len(cards)]
    if not missing:
        return []
    here = f"{len(cards)} card(s), which count from 0"
    if spec["gpus"]:
        text = f"gpus names {listed(missing)}, and the host has {here}. Correct the list."
    else:
        text = f"its parallel sizes make {cards_needed(spec)} cards, and the host has {here}. Make them smaller."
    return [error("vllm_gpu_missing", f"Instance {spec['name']}: {text}", SOURCE)]


def _abilities(spec: dict[str, Any], cards: Cards, version: str, least: str | None) -> Findings:
    found, mine = [], [cards[index] for index in indices_of(spec)]
    old = [card for card in mine if _is_below(card, least)]
    if old:
        others = [str(card["index"]) for card in cards if not _is_below(card, least)]
        way = f"Set gpus to others of {listed(others)}" if others else "Take another server, or another card"
        text = f"vLLM {version} needs compute capability {least}, and {listed([_said(card) for card in old])}"
        text = f"Instance {spec['name']}: {text} {'has' if len(old) == 1 else 'have'} less. {way}."
        found.append(error("vllm_gpu_too_old", text, SOURCE))
    if spec["dtype"] == "bfloat16" and any(_is_below(card, HALF) for card in mine):
        text = f"Instance {spec['name']}: dtype is bfloat16, which cards below compute capability {HALF} do not have."
        found.append(error("vllm_bfloat16_missing", f"{text} Set dtype: half.", SOURCE))
    if len({card["name"] for card in mine}) > 1:
        text = (
            f"Instance {spec['name']} runs on unlike cards, {listed([_said(card) for card in mine])}: the smallest and"
        )
        found.append(warning("vllm_gpus_unlike", f"{text} slowest sets the measure. Name like ones in gpus.", SOURCE))
    return found


def _is_below(card: dict[str, Any], least: str | None) -> bool:
    capability = card.get("compute_capability")
    return bool(capability and least and version_key(capability) < version_key(least))


def _said(card: dict[str, Any]) -> str:
    return f"{card['index']} ({card.get('name') or card.get('device')}, {card.get('compute_capability') or 'unknown'})"


def _shares(specs: list[dict[str, Any]], cards: Cards, version: str) -> Findings:
    """Each server reserves its share of a whole card when it starts, whatever the others did."""
    found: Findings = []
    for card in cards:
        mine = [spec for spec in specs if spec["state"] == "started" and card["index"] in indices_of(spec)]
        total = round(sum(share_of(spec, version) for spec in mine), 4)
        if len(mine) < 2 or total <= ROOM:
            continue
        said = listed([f"{spec['name']} {share_of(spec, version):g}{_unasked(spec)}" for spec in mine])
        text = f"The shares of the memory of card {card['index']} make {total:g}: {said}."
        if total > 1:
            found.append(error("vllm_shares_exceed_card", f"{text} Lower gpu_memory_share to make 1 at most.", SOURCE))
        else:
            text = f"{text} CUDA itself needs some for each server. Keep the sum at {ROOM} or less."
            found.append(warning("vllm_shares_tight", text, SOURCE))
    return found


def _unasked(spec: dict[str, Any]) -> str:
    return " (vLLM's own, for it names none)" if spec["gpu_memory_share"] is None else ""
