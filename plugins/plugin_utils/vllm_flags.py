# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of ``vllm serve`` by release, and what a release does beside its options."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key


class Flags(NamedTuple):
    """One release: its version, and the kind of each option, which is named without its dashes.

    A release that nobody looked at has what both of its neighbours have.
    """

    version: str
    kinds: dict[str, str]

    def choices(self, flag: str) -> list[str] | None:
        """The values that the release takes; None: nobody knows, or any."""
        row = row_at(table()["choices"].get(flag, []), self.version)
        return list(row["values"]) if row else None

    def named(self, flag: str) -> list[str] | None:
        """The values that the source names where the parser takes any; None: nobody listed them."""
        rows = table()["named"].get(flag, [])
        if not rows or version_key(self.version) < version_key(rows[0]["first"]):
            return None
        here = row_at(rows, self.version)
        older = [row for row in rows if version_key(row["first"]) <= version_key(self.version)]
        newer = [row for row in rows if version_key(row["first"]) > version_key(self.version)]
        near = [here] if here else [*older[-1:], *newer[:1]]
        return sorted({value for row in near for value in row["values"]})

    def can(self, ability: str) -> bool:
        return row_at(table()["abilities"][ability], self.version) is not None

    def speculates(self, method: str) -> bool:
        return row_at(table()["speculation"][method], self.version) is not None


@cache
def table() -> dict[str, Any]:
    """The data file: ``{releases, read, src, spans, choices, named, memory_shares, tasks, speculation, abilities}``."""
    path = Path(catalogue.__file__).parent / "vllm_flags.yml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    return found


def _covers(row: dict[str, Any], version: str) -> bool:
    last = row.get("last")
    return version_key(row["first"]) <= version_key(version) and (
        last is None or version_key(version) <= version_key(last)
    )


def row_at(rows: list[dict[str, Any]], version: str) -> dict[str, Any] | None:
    """The row of ``first`` to ``last`` in which *version* lies; None: it lies in none."""
    return next((row for row in rows if _covers(row, version)), None)


@cache
def _spans() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for span in table()["spans"]:
        for flag in span["flags"]:
            found.setdefault(flag, []).append({key: span.get(key) for key in ("first", "last", "kind")})
    return found


@cache
def flags_of(version: str) -> Flags:
    """The options of *version*; of one that is newer than the newest known, those of the newest."""
    found = {flag: row_at(rows, version) for flag, rows in _spans().items()}
    return Flags(version, {flag: row["kind"] for flag, row in found.items() if row})


def ever(flag: str) -> list[str]:
    """The values of an option that any release takes or names."""
    rows = [*table()["choices"].get(flag, []), *table()["named"].get(flag, [])]
    return sorted({value for row in rows for value in row["values"]})


def newest() -> str:
    return str(table()["releases"][-1])


def oldest() -> str:
    return str(table()["releases"][0])


def spans_of(flag: str) -> list[dict[str, Any]]:
    """``[{first, last, kind}]``, oldest first; empty: no release has it."""
    return _spans().get(flag, [])


def when(rows: list[dict[str, Any]], version: str) -> str:
    """Which other release can: ``vLLM 0.10.2 is the first that can`` or ``… 0.12.0 was the last …``."""
    later = [row for row in rows if version_key(row["first"]) > version_key(version)]
    if later:
        return f"vLLM {min((row['first'] for row in later), key=version_key)} is the first that can"
    earlier = [row["last"] for row in rows if row.get("last") and version_key(row["last"]) < version_key(version)]
    if earlier:
        return f"vLLM {max(earlier, key=version_key)} was the last that could"
    return "no known vLLM can"
