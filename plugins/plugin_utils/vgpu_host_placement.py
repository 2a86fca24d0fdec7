# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a vGPU host is to carry: devices, the modes of its cards, and the state that a reboot restores."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.module_utils._mdev_types import address, is_called
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, note
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mdev_plan import mdev_plan

SLICED = re.compile(r"-(\d)-(\d+)[ABCQ](ME|NOME|MEALL|GFX)?$")
ATTRIBUTES = {"ME": "+me", "NOME": "-me", "MEALL": "+me.all", "GFX": "+gfx"}
MODULES = ("nvidia", "nvidia_vgpu_vfio")
ALWAYS = (True, "true", "True", "yes")
NEVER = (False, "false", "False", "no")
EMPTY: dict[str, Any] = {
    "assignments": [],
    "devices": [],
    "kept": [],
    "cards": [],
    "pending": False,
    "surplus": [],
    "usage": [],
    "findings": [],
}


def cards_of(facts: dict[str, Any]) -> list[dict[str, Any]]:
    return (facts.get("mdev") or {}).get("cards") or []


def offers_types(facts: dict[str, Any]) -> bool:
    """Whether some card tells what it can be cut into."""
    return any(card.get("types") for card in cards_of(facts))


def parents_of(facts: dict[str, Any]) -> list[str]:
    """What carries the virtual GPUs of NVIDIA's cards: each card, or its virtual functions."""
    return [parent for card in cards_of(facts) if card["kind"] == "gpu" for parent in card["parents"] or []]


def placement(facts: dict[str, Any], wants: dict[str, Any], host: str) -> dict[str, Any]:
    """``{assignments, devices, kept, cards, pending, surplus, usage, findings}``.

    ``devices`` are rows of the module mdev, ``kept`` those of them that run already, ``cards`` rows of the module
    vgpu_cards, and ``pending`` whether one of them has to change before all devices can be made.
    """
    if wants["devices"] and not wants["requests"]:
        part = _declared(facts, wants)
    elif wants["requests"]:
        part = _planned(facts, wants, host)
    else:
        part = {**EMPTY}
    part["cards"], part["pending"] = _with_functions(facts, wants, part)
    return part


def _planned(facts: dict[str, Any], wants: dict[str, Any], host: str) -> dict[str, Any]:
    result = mdev_plan(
        {host: facts},
        wants["requests"],
        policy=wants["policy"],
        mode=wants["mode"],
        config=wants["config"],
        purge=bool(wants["purge"]),
    )
    findings = list(result["findings"])
    functions = [row for row in result["changes"] if row["change"] == "sriov"]
    if wants["sriov_enabled"] in NEVER:
        findings += [error("sriov_forbidden", _forbidden(row)) for row in functions]
    return {
        **EMPTY,
        "assignments": result["assignments"],
        "devices": result["devices"].get(host) or [],
        "kept": [row for row in result["assignments"] if row["action"] == "keep"],
        "cards": [row for usage in result["usage"] if (row := _modes(usage))],
        "pending": bool(result["changes"]),
        "surplus": result["surplus"],
        "usage": result["usage"],
        "findings": findings,
    }


def _forbidden(row: dict[str, Any]) -> str:
    return f"{row['text']} vgpu_host_sriov_enabled forbids it: set it to auto."


def instances_of(types: dict[str, int]) -> dict[str, int]:
    """GPU instances by profile (``2g.10gb``) for types behind MIG (``NVIDIA A100-2-10C``)."""
    wanted: Counter[str] = Counter()
    for name, count in types.items():
        found = SLICED.search(name)
        if found:
            wanted[f"{found[1]}g.{found[2]}gb{ATTRIBUTES.get(found[3] or '', '')}"] += count
    return dict(sorted(wanted.items()))


def _modes(usage: dict[str, Any]) -> dict[str, Any] | None:
    """What a card needs for its types beside functions, or None."""
    if usage["mode"] == "mixed":
        return {"address": usage["card"], "heterogeneous": True}
    if usage["mode"] == "mig" and usage["types"]:
        return {"address": usage["card"], "mig": True, "instances": instances_of(usage["types"])}
    return None


def _declared(facts: dict[str, Any], wants: dict[str, Any]) -> dict[str, Any]:
    """Devices that somebody has placed by hand; the module mdev refuses what cannot be."""
    rows, findings = [], []
    for row in wants["devices"]:
        parent = address(row.get("parent"))
        card = next((card for card in cards_of(facts) if parent in (card["address"], *(card["parents"] or []))), None)
        kinds = (card or {}).get("types") or []
        kind = next((kind for kind in kinds if is_called(str(row.get("type")), kind["id"], kind["name"])), None)
        if kind is None and kinds:
            findings.append(
                note("device_type_unknown", f"{row.get('uuid')}: {parent} knows no type {row.get('type')}.")
            )
        rows.append(
            {
                "request": None,
                "index": 0,
                "action": "keep" if _runs(facts, row, parent) else "create",
                "card": card["address"] if card else parent,
                "uuid": row.get("uuid"),
                "parent": parent,
                "type": kind["id"] if kind else str(row.get("type")),
                "name": kind["name"] if kind else None,
                "parameters": row.get("parameters"),
            }
        )
    devices = [{**row, "type": str(row.get("type"))} for row in wants["devices"]]
    kept = [row for row in rows if row["action"] == "keep"]
    return {**EMPTY, "assignments": rows, "devices": devices, "kept": kept, "findings": findings}


def _runs(facts: dict[str, Any], row: dict[str, Any], parent: str) -> bool:
    there = (facts.get("mdev") or {}).get("devices") or []
    return any(
        device["active"] and (device["uuid"] == row.get("uuid") if device["uuid"] else device["parent"] == parent)
        for device in there
    )


def _with_functions(facts: dict[str, Any], wants: dict[str, Any], part: dict[str, Any]) -> tuple[list[Any], bool]:
    """The cards' rows with the virtual functions that they need: one for each of their devices, or all of them."""
    rows, pending = {row["address"]: row for row in part["cards"]}, part["pending"]
    wanted = Counter(row["card"] for row in part["assignments"])
    for card in cards_of(facts):
        sriov = card.get("sriov")
        own = card["address"] in (card["parents"] or [])  # such a card makes its devices without functions
        if card["kind"] != "gpu" or not sriov or own or wants["sriov_enabled"] in NEVER:
            continue
        every = wants["sriov_enabled"] in ALWAYS or wants["platform"] == "proxmox"
        count = sriov["total"] if every else wanted[card["address"]]
        if count:
            row = rows.setdefault(card["address"], {"address": card["address"]})
            row["functions"] = count
            pending = pending or sriov["enabled"] < count
    return [rows[name] for name in sorted(rows)], pending


def state_of(facts: dict[str, Any], wants: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """What a reboot restores. A device whose function is not there yet comes with a later look."""
    rows = [
        {name: row[name] for name in ("uuid", "parent", "type", "name", "parameters")} | {"backend": wants["backend"]}
        for row in part["assignments"]
        if row["parent"]
    ]
    nvidia = {card["address"] for card in cards_of(facts) if card["kind"] == "gpu"}
    loaded = ((facts.get("driver") or {}).get("loaded") or {}).get("modules") or []
    rows.sort(key=lambda row: (row["parent"], row["uuid"] or ""))
    ours = part["cards"] or any(row["card"] in nvidia for row in part["assignments"])
    return {
        "timeout": int(wants["restore_timeout"]),
        "modules": [name for name in MODULES if name in loaded] if ours else [],
        "cards": part["cards"],
        "devices": rows if wants["device_state"] == "started" else [],
    }
