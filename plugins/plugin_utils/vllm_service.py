# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the plan of a host's servers to their units: what is written, what ends, and what starts in which order."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_units import (
    TEMPLATE,
    drop_in,
    drop_in_path,
    secrets_path,
    secrets_text,
    template_unit,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_waves import (
    new_replicas_first,
    stopped_first,
    waves_of,
)

LAYOUT: dict[str, Any] = {
    "user": "vllm",
    "group": "vllm",
    "groups": [],
    "folder": "/etc/vllm",
    "home": "/var/lib/vllm",
    "cache": "/var/cache/vllm",
    "program": "/usr/local/libexec/gpufleet-vllm",
    "program_text": "",
    "environment": "/opt/vllm/current",
    "version": "0",
    "start_timeout": 1800,
    "restart_seconds": 10,
    "limit": 5,
    "limit_seconds": 900,
    "after_units": [],
    "hardening_enabled": True,
}


def vllm_service(
    plan: dict[str, Any], facts: dict[str, Any], layout: dict[str, Any], secrets_changed: list[str] | None = None
) -> dict[str, Any]:
    """Units for a plan without errors; its shape is in the documentation of the filter gpufleet.nvidia.vllm_service.

    :param layout: where things lie and how they start, see LAYOUT
    :param secrets_changed: paths of the files of secrets whose content is not as declared
    """
    layout = {**LAYOUT, **layout, "version": plan["version"] or "0"}
    there = facts.get("vllm") or {}
    seen, sums = there.get("instances") or {}, there.get("files") or {}
    gone = sorted(seen) if plan["state"] == "absent" else [name for name in plan["absent"] if name in seen]
    texts = {row["name"]: drop_in(row, layout) for row in plan["instances"]}
    common = _common(layout) if texts else []
    stale = [row["path"] for row in common if sums.get(row["path"]) != digest_of(row["content"])]
    drifted = [name for name, text in texts.items() if sums.get(drop_in_path(name)) != digest_of(text)]
    renewed = [row["name"] for row in plan["instances"] if secrets_path(row["name"], layout) in (secrets_changed or [])]
    changed = [name for name in texts if name in {*plan["changed"], *drifted, *renewed}]
    rows = [row for row in plan["instances"] if row["name"] in changed and row["state"] == "started"]
    resting = [row["name"] for row in plan["instances"] if row["name"] in changed and row["state"] == "stopped"]
    written = {name: {"path": drop_in_path(name), "content": text} for name, text in texts.items()}
    staying = [name for name in texts if name not in changed]
    paths = [path for name in gone for path in (drop_in_path(name), secrets_path(name, layout))]
    paths += [TEMPLATE, layout["program"]] if plan["state"] == "absent" and TEMPLATE in sums else []
    known = set(plan["changed"])
    spread = [row["name"] for row in plan["instances"] if row.get("leader")]
    steps = [*plan["steps"], *(_said(name, name in renewed) for name in changed if name not in known)]
    return {
        "files": common,
        "changed": changed,
        "ending": [
            *({"name": name, "state": "absent"} for name in gone),
            *({"name": name, "state": "stopped"} for name in [*resting, *stopped_first(rows, seen)]),
        ],
        "leaving": _serving([*gone, *resting, *stopped_first(rows, seen)], seen),
        "ending_files": [*({"path": path, "state": "absent"} for path in paths), *(written[name] for name in resting)],
        "ending_folders": [drop_in_path(name).rpartition("/")[0] for name in gone],
        "resting": resting,
        "waves": [_wave(names, written, layout, seen, spread) for names in waves_of(new_replicas_first(rows, seen))],
        "staying": {
            "files": [written[name] for name in staying],
            "secret_paths": [secrets_path(name, layout) for name in staying],
        },
        "command_lines": [
            {"name": row["name"], "argv": row["argv"], "environment": row["environment"]}
            for row in plan["instances"]
            if row["name"] in changed
        ],
        "steps": steps + [f"Write {path}" for path in stale],
        "idle": not (plan["steps"] or changed or stale),
    }


def _serving(names: list[str], seen: dict[str, Any]) -> list[str]:
    return [name for name in names if (seen.get(name) or {}).get("active")]


def _wave(
    names: list[str], written: dict[str, Any], layout: dict[str, Any], seen: dict[str, Any], spread: list[str]
) -> dict[str, Any]:
    return {
        "names": names,
        "awaited": [name for name in names if name not in spread],
        "leaving": _serving(names, seen),
        "instances": [{"name": name, "state": "restarted"} for name in names],
        "files": [written[name] for name in names],
        "secret_paths": [secrets_path(name, layout) for name in names],
    }


def vllm_secrets(plan: dict[str, Any], values: dict[str, Any], layout: dict[str, Any]) -> list[dict[str, str]]:
    """The files of secrets, for the module managed_files; one that is not needed is absent.

    :param values: ``{role variable: value}`` of the variables that the plan names
    """
    layout, files = {**LAYOUT, **layout}, []
    for row in plan["instances"]:
        path = secrets_path(row["name"], layout)
        found = {name: _value(values[variable], name, row["name"]) for name, variable in row["secrets"].items()}
        if found:
            files.append({"path": path, "mode": "0600", "state": "present", "content": secrets_text(found)})
        else:
            files.append({"path": path, "state": "absent"})
    return files


def ready_rows(instances: list[dict[str, Any]], values: dict[str, Any]) -> list[dict[str, Any]]:
    """What the module vllm_ready asks of each server that is to run; it holds keys."""
    found = []
    for row in instances:
        if row["state"] != "started" or row.get("is_worker"):
            continue
        variable = row["secrets"].get("VLLM_API_KEY")
        key = {"api_key": _value(values[variable], "VLLM_API_KEY", row["name"])} if variable else {}
        kept = {"name": row["name"], "url": row["url"], "route": row["route"], "served_name": row["served_names"][0]}
        found.append({**kept, **key})
    return found


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _common(layout: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"path": TEMPLATE, "content": template_unit(layout), "mode": "0644"},
        {"path": layout["program"], "content": layout["program_text"], "mode": "0755"},
    ]


def _said(name: str, is_renewed: bool) -> str:
    return f"Restart the instance {name}, {'whose secrets have changed' if is_renewed else 'whose unit is another'}"


def _value(given: Any, name: str, instance: str) -> str:
    """A variable's own value; of a mapping the one for this instance or for this variable of the environment."""
    if not isinstance(given, dict):
        return str(given)
    return str(given[instance] if name == "VLLM_API_KEY" and instance in given else given[name])
