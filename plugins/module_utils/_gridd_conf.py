# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gridd.conf, the licensing daemon's file: its lines, the keys that NVIDIA documents and what each may hold.

Sources: the template's own comments, and NVIDIA's virtual GPU client licensing guide.
"""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# head: all before the value; value: without the double quotes that quoted tells of; commented: "#Key=value"
Line = namedtuple("Line", "head key value quoted commented")

SETTING = re.compile(r"(?P<head>[ \t]*(?P<key>[A-Za-z]\w*)[ \t]*=[ \t]*)(?P<value>.*?)[ \t\r]*", re.ASCII)
COMMENTED = re.compile(r"[ \t]*#[ \t]?(?P<rest>[A-Za-z]\w*=(?:\"[^\"]*\"|\S*)[ \t\r]*)", re.ASCII)
KEY = re.compile(r"[A-Za-z]\w{0,63}", re.ASCII)

FEATURES = {"unlicensed": 0, "vgpu": 1, "vws": 2, "vcs": 4}
# key: switch | text | (least, most); an address or a path is text
KEYS: dict = {
    "ServerAddress": "text",
    "ServerPort": (1, 65535),
    "BackupServerAddress": "text",
    "BackupServerPort": (1, 65535),
    "FeatureType": (0, 4),
    "EnableUI": "switch",
    "LicenseInterval": (10, 10080),
    "LingerInterval": (0, 10080),
    "ClientConfigTokenPath": "text",
    "IgnoreSP": "switch",
}
LEGACY = ("ServerAddress", "ServerPort", "BackupServerAddress", "BackupServerPort")
UNITS = {"LicenseInterval": " minutes", "LingerInterval": " minutes"}


def parse_line(text):
    """A line as Line; None where it is neither a setting nor a setting that was commented out."""
    found = COMMENTED.fullmatch(text)
    inner = SETTING.fullmatch(found["rest"] if found else text)
    if not inner:
        return None
    value = inner["value"]
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return Line(inner["head"], inner["key"], value[1:-1] if quoted else value, quoted, bool(found))


def settings(text):
    """[(number of the line from 1, Line)] of the settings that count: those that are not commented out."""
    numbered = enumerate(map(parse_line, (text or "").split("\n")), 1)
    return [(number, line) for number, line in numbered if line and not line.commented]


def values(text):
    """{key: value} of the settings; of a key that stands there twice the first, as the editor keeps it."""
    found: dict = {}
    for _number, line in settings(text):
        found.setdefault(line.key, line.value)
    return found


def fault(key, value):
    """What is wrong with the value of a key that NVIDIA documents, as the end of a sentence; None: nothing."""
    kind = KEYS.get(key)
    if kind is None or kind == "text":
        return None
    if kind == "switch":
        return None if value.upper() in ("TRUE", "FALSE") else f"is {value!r}, not TRUE or FALSE"
    if key == "FeatureType":
        known = sorted(FEATURES.values())
        fits = re.fullmatch(r"[0-9]+", value) and int(value) in known
        return None if fits else f"is {value!r}, none of {', '.join(map(str, known))}; NVIDIA reserves all others"
    least, most = kind
    fits = re.fullmatch(r"[0-9]{1,9}", value) and least <= int(value) <= most
    return None if fits else f"is {value!r}, not a number from {least} to {most}{UNITS.get(key, '')}"


def errors(text):
    """[{line, text}] of what no daemon can read, or should not find: the number of the line and a sentence."""
    found = []
    for number, raw in enumerate((text or "").split("\n"), 1):
        line = parse_line(raw)
        if line is None and raw.strip() and not raw.lstrip().startswith("#"):
            found.append({"line": number, "text": "This is neither Key=Value nor a comment."})
        elif line and not line.commented and line.value:
            wrong = fault(line.key, line.value)
            if wrong:
                found.append({"line": number, "text": f"{line.key} {wrong}."})
    return found


def describe(path, text):
    """The facts of a file; *text* is None where there is none."""
    keys = [line.key for _number, line in settings(text)]
    held = values(text)
    return {
        "path": path,
        "exists": text is not None,
        "values": held,
        "unknown": [key for key in held if key not in KEYS],
        "legacy": [key for key in held if key in LEGACY and held[key]],
        "duplicates": sorted({key for key in keys if keys.count(key) > 1}),
        "errors": errors(text),
    }


def spelled(key, value):
    """A value as text for the file.

    :raises NvidiaError: for a key or value that the file cannot hold, or that NVIDIA's documentation rules out
    """
    if not KEY.fullmatch(key):
        raise NvidiaError(f"{key!r} is no key of gridd.conf: it begins with a letter and has letters and digits.")
    if value is None:
        raise NvidiaError(f"values has {key} without a value. To take it out of gridd.conf, name it in remove.")
    text = {True: "TRUE", False: "FALSE"}[value] if isinstance(value, bool) else str(value)
    if any(ord(sign) < 32 or sign in '"\x7f\x85\u2028\u2029' for sign in text) or text != text.strip():
        raise NvidiaError(f"The value of {key} has quotes, blanks at an end, or signs that no line can hold.")
    wrong = fault(key, text)
    if wrong:
        raise NvidiaError(f"{key} {wrong}. gridd.conf was left as it was.")
    return text.upper() if KEYS.get(key) == "switch" else text
