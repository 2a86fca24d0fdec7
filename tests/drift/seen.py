"""What records keep, what a report of drift.yml names, and whether two looks at the records are the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any

FOLDER = "/var/lib/gpufleet/records"
Records = dict[str, dict[str, Any]]


def records(host: Any) -> Records:
    """{role: record} of a host."""
    names = host.file(FOLDER).listdir()
    found = {name.removesuffix(".json"): host.file(f"{FOLDER}/{name}").content_string for name in names}
    return {role: json.loads(text) for role, text in found.items()}


def kept(told: Records, part: str, *, only: Callable[[Any], Any] = lambda state: True) -> set[tuple[str, str]]:
    """{(role, name)} of one part of all records."""
    return {(role, name) for role, row in told.items() for name, state in row["managed"][part].items() if only(state)}


def is_file(state: Any) -> bool:
    return bool(state) and "sha256" in state


def named(report: dict[str, Any], kind: str, host: str | None = None) -> set[tuple[str, str]]:
    """{(role, name)} of one kind of things that a report names."""
    rows = [row for row in report["drift"] if row["kind"] == kind and host in (None, row["host"])]
    return {(row["role"], row["name"]) for row in rows}


def texts(report: dict[str, Any], host: str | None = None) -> list[str]:
    """What a report says of the things that it names."""
    return [row["text"] for row in report["drift"] if host in (None, row["host"])]


def settled(value: Any) -> Any:
    """Without the time of an initramfs, which is made anew for another configuration."""
    if isinstance(value, dict):
        return {key: settled(row) for key, row in value.items() if key != "initramfs_modified"}
    return [settled(row) for row in value] if isinstance(value, list) else value


def same(host: Any, before: Records, but: Collection[str] = ()) -> None:
    """The records are what they were, apart from when they were written, and from these names."""
    after = records(host)
    moved = {
        name: {"was": state, "is": after[role]["managed"][part].get(name)}
        for role, row in before.items()
        for part, states in row["managed"].items()
        for name, state in states.items()
        if name not in but and settled(after[role]["managed"][part].get(name)) != settled(state)
    }
    assert not moved, moved
    more = {
        part: set(after[role]["managed"][part]) - {*states, *but}
        for role, row in before.items()
        for part, states in row["managed"].items()
    }
    assert not any(more.values()), more


def places(host: Any, *paths: str) -> list[str]:
    """Name, inode and time of the last change of files: of one that was written anew, another line."""
    return host.check_output(f"stat --dereference --format '%n %i %Z' {' '.join(paths)}").splitlines()
