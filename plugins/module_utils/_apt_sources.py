# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt's sources, in both spellings, as the machine has them configured."""

from __future__ import annotations

FOLDER = "/etc/apt/sources.list.d"


def parse_deb822(text, path):
    """Enabled ``deb`` entries of a ``.sources`` file.

    :returns: list of ``{uris, suite, components, signed_by, file}``, one for each suite
    """
    entries = []
    for paragraph in _paragraphs(text or ""):
        fields = _fields(paragraph)
        if fields.get("enabled", "yes").lower() in ("no", "false", "0") or "deb" not in fields.get("types", "").split():
            continue
        for suite in fields.get("suites", "").split():
            entries.append(
                {
                    "uris": fields.get("uris", "").split(),
                    "suite": suite,
                    "components": fields.get("components", "").split(),
                    "signed_by": fields.get("signed-by") or None,
                    "file": path,
                }
            )
    return entries


def _paragraphs(text):
    paragraph = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield paragraph
            paragraph = []


def _fields(lines):
    fields, name = {}, None
    for line in lines:
        if line[0] in " \t" and name:
            fields[name] += "\n" + line
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def parse_list(text, path):
    """Enabled ``deb`` lines of a ``.list`` file: ``deb [options] uri suite component …``."""
    entries = []
    for line in (text or "").splitlines():
        words = line.split("#", 1)[0].replace("[", " [ ", 1).replace("]", " ] ", 1).split()
        if len(words) < 3 or words[0] != "deb":
            continue
        options = {}
        if words[1] == "[" and "]" not in words:
            continue
        if words[1] == "[":
            end = words.index("]")
            options = dict(word.split("=", 1) for word in words[2:end] if "=" in word)
            words = ["deb", *words[end + 1 :]]
        if len(words) >= 3:
            entries.append(
                {
                    "uris": [words[1]],
                    "suite": words[2],
                    "components": words[3:],
                    "signed_by": options.get("signed-by"),
                    "file": path,
                }
            )
    return entries


def observe(system):
    """All entries, in the order in which apt reads the files."""
    entries = parse_list(system.read("/etc/apt/sources.list"), "/etc/apt/sources.list")
    for name in system.entries(FOLDER):
        parse = {"sources": parse_deb822, "list": parse_list}.get(name.rsplit(".", 1)[-1])
        if parse:
            entries += parse(system.read(f"{FOLDER}/{name}"), f"{FOLDER}/{name}")
    return entries
