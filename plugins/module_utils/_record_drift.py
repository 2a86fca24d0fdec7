# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between what a record says and what is there, one entry and one sentence for each thing."""

from __future__ import annotations

import json

WIDTH = 60
SERVICE = ".service"
KINDS = {"files": "file", "packages": "package", "units": "unit", "facts": "fact"}


def drift(was, now):
    """``[{kind, name, was, is, text}]``, in the order of the names.

    :param was: ``managed`` of a record; :param now: what _record_observe.observe gave for its names
    """
    rows = []
    for part, kind in KINDS.items():
        for name in sorted(was[part]):
            if name not in now[part]:
                continue
            before, after = was[part][name], now[part][name]
            if before == after and not is_unreadable(after, kind):
                continue
            if kind == "fact":
                rows += [_row(kind, *leaf) for leaf in leaves(name, before, after)]
            else:
                short_name = name[: -len(SERVICE)] if kind == "unit" and name.endswith(SERVICE) else name
                rows.append(_row(kind, name, before, after, f"{short_name} {words(kind, before, after)}"))
    return rows


def is_unreadable(state, kind):
    """True for a thing that nobody can vouch for, though it could not be read before either."""
    return kind != "fact" and isinstance(state, dict) and "unreadable" in state


def _row(kind, name, was, now, text):
    return {"kind": kind, "name": name, "was": was, "is": now, "text": text}


def words(kind, was, now):
    """What has happened to a thing, in words."""
    if is_unreadable(now, kind) or is_unreadable(was, kind):
        return "cannot be read" if is_unreadable(now, kind) else "could not be read then"
    return WORDS[kind](was, now)


def file_words(was, now):
    """What has happened to a file, in words."""
    if now is None or was is None:
        return "removed" if now is None else "appeared"
    shapes = [_shape(state) for state in (was, now)]
    if shapes[0] != shapes[1]:
        return f"{shapes[0]} → {shapes[1]}"
    said = ["edited"] if was.get("sha256") != now.get("sha256") else []
    said += [f"{key} {was.get(key)} → {now.get(key)}" for key in ("mode", "owner") if was.get(key) != now.get(key)]
    return ", ".join(said)


def _shape(state):
    if "link" in state:
        return f"link to {state['link']}"
    return "a folder" if "folder" in state else "a file"


def package_words(was, now):
    """What has happened to a package, in words."""
    if now is None or was is None:
        return "removed" if now is None else f"{now.get('version')} installed"
    said = [f"{was['version']} → {now['version']}"] if was["version"] != now["version"] else []
    if was.get("state") != now.get("state"):
        said.append(now.get("state") or "installed")
    if was["held"] != now["held"]:
        said.append("held" if now["held"] else "no longer held")
    return ", ".join(said)


# systemd's states of a unit as people say them; "bad" is one that is loaded still, and its file is not there.
STATES = {"inactive": "stopped", "active": "started", "bad": "its file gone"}


def unit_words(was, now):
    """What has happened to a unit, in words."""
    if now is None or was is None:
        return "removed" if now is None else "appeared"
    said = []
    if was["active"] != now["active"]:
        said.append(STATES.get(now["active"], now["active"]))
    if was["enabled"] != now["enabled"]:
        said.append(STATES.get(now["enabled"], now["enabled"]) or f"no longer {was['enabled']}")
    return ", ".join(said)


WORDS = {"file": file_words, "package": package_words, "unit": unit_words}


def leaves(name, was, now):
    """[(name, was, is, text)] of each leaf of two values that differs."""
    if isinstance(was, dict) and isinstance(now, dict):
        keys = sorted({*was, *now}, key=str)
        pairs = [(f"{name}.{key}", was.get(key), now.get(key)) for key in keys if was.get(key) != now.get(key)]
        if pairs:
            return [leaf for pair in pairs for leaf in leaves(*pair)]
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        pairs = [(f"{name}[{at}]", *pair) for at, pair in enumerate(zip(was, now)) if pair[0] != pair[1]]
        return [leaf for pair in pairs for leaf in leaves(*pair)]
    return [(name, was, now, f"{name} {short(was)} → {short(now)}")]


def short(value):
    """A value for people, on one line and not too long."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
