# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits gridd.conf in place: comments, order and keys of others stay, and a key that is set stands there once."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_conf import parse_line


def place_of(lines, key):
    """Index of the line for a key: its first setting, else its line in comments as the template has it, or None."""
    parsed = list(enumerate(map(parse_line, lines)))
    for commented in (False, True):
        for index, line in parsed:
            if line and line.key == key and line.commented is commented:
                return index
    return None


def is_setting(text, key):
    line = parse_line(text)
    return line is not None and line.key == key and not line.commented


def with_value(text, value):
    """A line with another value: what stands before it stays, and so do quotes; a comment's mark goes."""
    line = parse_line(text)
    if not line.commented and line.value == value:
        return text
    return f'{line.head}"{value}"' if line.quoted else f"{line.head}{value}"


def put(lines, key, value):
    """The lines with one setting of a key."""
    index = place_of(lines, key)
    if index is None:
        end = len(lines) - 1 if lines and lines[-1] == "" else len(lines)
        return [*lines[:end], f"{key}={value}", ""]
    rest = [line for line in lines[index + 1 :] if not is_setting(line, key)]
    return [*lines[:index], with_value(lines[index], value), *rest]


def take(lines, key):
    """The lines without a setting of a key: the first one becomes a comment, more of them go."""
    index = place_of(lines, key)
    if index is None or not is_setting(lines[index], key):
        return lines
    line = parse_line(lines[index])
    value = f'"{line.value}"' if line.quoted or not _is_one_word(line.value) else line.value
    rest = [other for other in lines[index + 1 :] if not is_setting(other, key)]
    return [*lines[:index], f"#{key}={value}", *rest]


def _is_one_word(value):
    return len(value.split()) < 2


def edit(text, wanted, removed=()):
    """The text with the keys of *wanted* ``{key: value}`` set and those of *removed* out of force."""
    lines = text.split("\n")
    for key, value in wanted.items():
        lines = put(lines, key, value)
    for key in removed:
        lines = take(lines, key)
    return "\n".join(lines)
