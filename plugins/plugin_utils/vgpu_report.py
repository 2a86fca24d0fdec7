# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The licences of a fleet: one row for each host, a table for people, and whether all is well."""

from __future__ import annotations

from typing import Any

COLUMNS = ("host", "product", "state", "expires", "cause")
FINE = ("licensed", "not_applicable")


def why(gridd: dict[str, Any]) -> str:
    """Cause, hint and the daemon's own line, as sentences; empty where none is known."""
    cause = gridd.get("cause") or {}
    if not cause:
        return ""
    line = f" The daemon says: {cause['line']}" if cause.get("line") else ""
    return f"{cause['code']}: {cause['hint']}{line}"


def license_report(hosts: dict[str, dict[str, Any]], needed: bool = True) -> dict[str, Any]:
    """``{ok, failed: [hosts], hosts: [rows], table: [lines]}``; see RETURN of the filter.

    :param hosts: by name ``{gridd, error}``: the fact of that name, or why there is none
    :param needed: whether a host without licence, and one that did not answer, is a failure
    """
    rows = [row for name in sorted(hosts) for row in _rows(name, hosts[name])]
    failed = sorted({row["host"] for row in rows if needed and not row["ok"]})
    return {"ok": not failed, "failed": failed, "hosts": rows, "table": table(rows)}


def _rows(name: str, told: dict[str, Any]) -> list[dict[str, Any]]:
    gridd = told.get("gridd")
    empty = {"host": name, "address": None, "product": None, "profile": None, "expires": None, "remaining_s": None}
    if not gridd:
        reason = told.get("error") or "no facts could be read"
        return [{**empty, "state": "unreadable", "ok": False, "cause": None, "hint": reason, "line": None}]
    cause = gridd.get("cause") or {}
    shared = {"cause": cause.get("code"), "hint": cause.get("hint"), "line": cause.get("line")}
    nothing = {"cause": None, "hint": None, "line": None}
    rows = []
    for gpu in gridd.get("gpus") or []:
        licence = gpu.get("license") or {}
        state = licence.get("state") or "not_applicable"
        fine = state in FINE
        rows.append(
            {
                "host": name,
                "address": gpu.get("address"),
                "product": licence.get("product") or gpu.get("product"),
                "profile": (gpu.get("profile") or {}).get("name"),
                "state": state,
                "ok": fine,
                "expires": licence.get("expires") or ("never" if licence.get("permanent") else None),
                "remaining_s": licence.get("remaining_s"),
                **(nothing if fine else shared),
            }
        )
    if rows:
        return rows
    state = gridd.get("state") or "unknown"
    return [{**empty, "state": state, "ok": state in FINE, **(nothing if state in FINE else shared)}]


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Columns as wide as they need to be, and below each row that is not well its hint and the daemon's line."""
    texts = [[str(row.get(key) or "-") for key in COLUMNS] for row in rows]
    widths = [
        max(len(column), *(len(text[at]) for text in texts)) if texts else len(column)
        for at, column in enumerate(COLUMNS)
    ]
    lines = ["  ".join(word.ljust(width) for word, width in zip(COLUMNS, widths, strict=True)).rstrip()]
    for row, text in zip(rows, texts, strict=True):
        lines.append("  ".join(word.ljust(width) for word, width in zip(text, widths, strict=True)).rstrip())
        lines += [f"    {row[key]}" for key in ("hint", "line") if row.get(key)]
    return lines
