# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stacks of a fleet as one table, and below it the findings of each host."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

Stack = dict[str, Any]
HEADER = ("host", "GPUs", "driver", "CUDA", "NCCL", "vLLM", "verdict")
SEVERITIES = ("error", "warning", "note")


def stack_table(hosts: dict[str, dict[str, Any]]) -> list[str]:
    """Lines for a terminal.

    :param hosts: by name ``{stack, error}``: the stack, or None and why there is none
    """
    rows = [HEADER, *(_row(name, entry) for name, entry in hosts.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    rule = "  ".join("-" * width for width in widths)
    return [lines[0], rule, *lines[1:], *(line for name, entry in hosts.items() for line in _below(name, entry))]


def stack_rows(hosts: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The cells of the table by host and by column, in small letters, with ``errors``: what stands in the way."""
    found: dict[str, dict[str, Any]] = {}
    for name, entry in hosts.items():
        cells = zip((column.lower() for column in HEADER[1:]), _row(name, entry)[1:], strict=True)
        found[name] = {**dict(cells), "errors": _errors(entry)}
    return found


def _errors(entry: dict[str, Any]) -> list[str]:
    stack = entry.get("stack")
    if not stack:
        return [str(entry.get("error") or "")]
    return [finding["text"] for finding in stack["findings"] if finding["severity"] == "error"]


def _row(name: str, entry: dict[str, Any]) -> tuple[str, ...]:
    stack = entry.get("stack")
    if not stack:
        return (name, "?", "?", "?", "?", "?", "no plan")
    return (
        name,
        _gpus(stack),
        _driver(stack["driver"]),
        _cuda(stack["cuda"]),
        _version(stack["nccl"]),
        _version(stack["vllm"]),
        _verdict(stack["findings"]),
    )


def _gpus(stack: Stack) -> str:
    """``2 x Tesla P40, GeForce GTX 750 Ti``: the name that is on the box, without the chip's."""
    names = Counter(re.sub(r"^.*\[(.*)\]$", r"\1", row["name"]) for row in stack["gpus"])
    return ", ".join(f"{count} x {name}" if count > 1 else name for name, count in names.items()) or "none"


def _driver(plan: dict[str, Any]) -> str:
    if plan.get("fixed"):
        return f"{plan['version'] or '?'} vGPU guest"
    if plan.get("state") == "absent":
        return "none"
    words = [str(plan["version"] or plan["branch"] or plan["series"] or "?"), plan["flavour"], plan.get("method")]
    return " ".join(word for word in words if word)


def _cuda(cuda: dict[str, Any]) -> str:
    if not cuda["wanted"]:
        return f"- (up to {cuda['newest']})" if cuda["newest"] else "-"
    names = ", ".join(row["update"] or row["release"] for row in cuda["releases"]) or "?"
    return f"{names} {cuda['method'] or ''}".rstrip()


def _version(part: dict[str, Any]) -> str:
    """NCCL's package version, which names its CUDA, or the version."""
    return str(part.get("package") or part["version"] or "?") if part["wanted"] else "-"


def _verdict(findings: list[dict[str, str]]) -> str:
    counts = Counter(row["severity"] for row in findings)
    said = [f"{counts[name]} {name}{'s' * (counts[name] > 1)}" for name in SEVERITIES[:2] if counts[name]]
    return ", ".join(said) or "ok"


def _below(name: str, entry: dict[str, Any]) -> list[str]:
    stack = entry.get("stack")
    if not stack:
        return ["", f"{name}:", f"  error: {entry.get('error') or 'no plan was made; its failed task says why'}"]
    why = [f"  {text}" for text in stack["why"].values() if not text.startswith("Nothing asks for")]
    return ["", f"{name}:", *why, *(f"  {row['severity']}: {row['text']}" for row in stack["findings"])]
