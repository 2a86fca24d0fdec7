# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has changed on a fleet since its roles last came to their end: rows, a table for people, whether all is well."""

from __future__ import annotations

from typing import Any

COLUMNS = ("host", "role", "state", "converged", "what")
NEVER = "never converged"
FINE = ("in order",)


def drift_report(hosts: dict[str, dict[str, Any]], records_required: bool = False) -> dict[str, Any]:
    """``{ok, failed: [hosts], never: [hosts], hosts: [rows], drift: [rows], table}``, as the filter documents it.

    :param hosts: by name ``{records, partial, inputs, collection, error}``
    :param records_required: whether a host that this collection never converged is a failure
    """
    rows = [row for name in sorted(hosts) for row in _rows(name, hosts[name])]
    fine = (*FINE, *(() if records_required else (NEVER,)))
    failed = sorted({row["host"] for row in rows if row["state"] not in fine})
    return {
        "ok": not failed,
        "failed": failed,
        "never": sorted(row["host"] for row in rows if row["state"] == NEVER),
        "hosts": rows,
        "drift": [{"host": row["host"], "role": row["role"], **thing} for row in rows for thing in row["drift"]],
        "table": table(rows),
    }


def _rows(host: str, told: dict[str, Any]) -> list[dict[str, Any]]:
    records = told.get("records")
    reasons = [str(row.get("reason")) for row in told.get("partial") or [] if row.get("source") == "records"]
    if records is None or reasons:
        reason = told.get("error") or " ".join(reasons) or "no facts could be read"
        return [_row(host, None, "unreadable", [str(reason)])]
    if not records:
        return [_row(host, None, NEVER, ["never converged by this collection"])]
    return [_of_record(host, role, records[role], told) for role in sorted(records)]


def _of_record(host: str, role: str, record: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    if record.get("damaged") is not None:
        return _row(host, role, "damaged", [f"The record cannot be trusted: {record['damaged']}"])
    drift, unchecked = record.get("drift") or [], record.get("unchecked") or []
    texts = [str(row["text"]) for row in drift]
    if unchecked:
        texts.append(f"not compared: {', '.join(unchecked)}")
    state = "drifted" if drift else "not compared" if unchecked else "in order"
    return {
        **_row(host, role, state, texts),
        "converged": record.get("converged"),
        "drift": drift,
        **_due(record, told),
    }


def _due(record: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """What was declared otherwise since then; the next run goes through the role because of it."""
    words = {"inputs": "other variables", "collection": "another version of the collection"}
    return {"since": [text for key, text in words.items() if told.get(key) and told[key] != record.get(key)]}


def _row(host: str, role: str | None, state: str, texts: list[str]) -> dict[str, Any]:
    return {"host": host, "role": role, "state": state, "converged": None, "texts": texts, "drift": [], "since": []}


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Columns as wide as they need to be, with a line of its own for each further thing."""
    texts = [line for row in rows for line in _lines(row)]
    widths = [max(len(line[at]) for line in [list(COLUMNS), *texts]) for at in range(len(COLUMNS))]
    return [
        "  ".join(w.ljust(width) for w, width in zip(line, widths, strict=True)).rstrip() for line in [COLUMNS, *texts]
    ]


def _lines(row: dict[str, Any]) -> list[list[str]]:
    what = [*row["texts"], *(f"declared since: {text}" for text in row["since"])] or ["-"]
    head = [str(row[key] or "-") for key in COLUMNS[:-1]]
    return [[*(head if number == 0 else [""] * len(head)), text] for number, text in enumerate(what)]
