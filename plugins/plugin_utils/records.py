# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convergence records on the controller: the collection that made them, and whether they make a role needless."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

COLLECTION = Path(__file__).parents[2]
PARTS = ("plugins", "roles")


@cache
def collection_digest(folder: Path = COLLECTION) -> str:
    """``version+digits`` of this collection's version and of the content of its plugins and roles; read once."""
    total = hashlib.sha256()
    for path in sorted(path for part in PARTS for path in (folder / part).rglob("*") if path.is_file()):
        if path.suffix != ".pyc" and "__pycache__" not in path.parts:
            data = path.read_bytes()
            total.update(f"{path.relative_to(folder).as_posix()}\0{len(data)}\0".encode())
            total.update(data)
    return f"{version(folder)}+{total.hexdigest()[:12]}"


def version(folder: Path = COLLECTION) -> str:
    """The collection's version, as it was installed or as its source says."""
    manifest, source = folder / "MANIFEST.json", folder / "galaxy.yml"
    if manifest.is_file():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    return str(yaml.safe_load(source.read_text(encoding="utf-8"))["version"]) if source.is_file() else "unknown"


def doubt(records: Any, role: str, inputs: str, collection: str) -> str | None:
    """Why a role has to run, in one sentence; None where its record and the host leave no doubt."""
    record = records.get(role) if isinstance(records, dict) else None
    if not isinstance(record, dict):
        return f"{role} has no record here."
    if record.get("damaged") is not None or "damaged" not in record:
        return f"The record of {role} is damaged: {record.get('damaged')}."
    if record.get("collection") != collection:
        return f"{role} was converged by another collection, {record.get('collection')}."
    if record.get("inputs") != inputs:
        return f"{role} is given something else than when it was converged."
    for key in ("drift", "unchecked"):
        rows = record.get(key)
        if not isinstance(rows, list):
            return f"{role} does not tell its {key}."
        if rows:
            texts = [row.get("text", "") if isinstance(row, dict) else str(row) for row in rows]
            return f"{role}, {key}: {'; '.join(texts)}."
    return None
