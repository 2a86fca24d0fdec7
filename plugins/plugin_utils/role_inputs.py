# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles of this collection are given for one host, as one digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_options import ROLES

# Given for one run and gone with it: neither is it there in the next run, nor does a converged host need it.
ONE_TIME = frozenset(
    {
        "nvidia_driver_mok_password",
        "nvidia_driver_mok_restage",
        "nvidia_driver_reboot_ok",
        "vgpu_guest_reboot_ok",
        "vgpu_host_reboot_ok",
    }
)
UNRESOLVED = "gpufleet:unresolved"
LONGEST_PATH = 4096


@cache
def defaults(folder: Path = ROLES) -> dict[str, Any]:
    """``{variable: its default}`` of every option of every role, one-time ones excepted; read once for a process."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*/meta/argument_specs.yml")):
        options = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)["argument_specs"]["main"]["options"]
        found |= {name: spec.get("default") for name, spec in options.items() if name not in ONE_TIME}
    return found


def strings(value: Any) -> Iterator[str]:
    """Every text in a value, keys of dictionaries excepted."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for row in value.values():
            yield from strings(row)
    elif isinstance(value, (list, tuple)):
        for row in value:
            yield from strings(row)


def is_path_like(text: str) -> bool:
    """Whether a text may name a file: nothing but the disk tells for certain."""
    if not 1 < len(text) < LONGEST_PATH or "\n" in text or "://" in text:
        return False
    return "/" in text or text[0] == "~" or (text.rpartition(".")[2].isalpha() and "." in text)


def content_of(path: Path) -> str | None:
    """SHA-256 of a file, or None where there is none; hashed once for a process and a state of the file."""
    try:
        found = path.stat()
        return _content(str(path), found.st_mtime_ns, found.st_size, found.st_ino) if path.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None


@cache
def _content(path: str, _changed: int, _size: int, _inode: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files(values: dict[str, Any], folder: str) -> dict[str, str]:
    """{text: SHA-256} of the files on this machine that values name, as Ansible looks for them beside a playbook.

    :param folder: the playbook's
    """
    found = {}
    for text in {text for text in strings(values) if is_path_like(text)}:
        for place in (f"{folder}/files", folder):
            try:
                digest = content_of(Path(place) / Path(text).expanduser())
            except RuntimeError:  # no such user's home
                digest = None
            if digest:
                found[text] = digest
                break
    return found


def digest(host: str, values: dict[str, Any], groups: dict[str, list[str]], folder: str) -> str:
    """One text of hexadecimal digits; the same values of another host give another one."""
    rows = values.get("vllm_serve_nodes")
    words = (
        [word for row in rows if isinstance(row, Mapping) for word in row.get("hosts") or ()]
        if isinstance(rows, list)
        else []
    )
    whole = {
        "host": host,
        "values": values,
        "groups": {str(word): list(groups[word]) for word in words if word in groups},
        "files": files(values, folder),
    }
    text = json.dumps(whole, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(f"gpufleet.nvidia inputs 1\n{text}".encode()).hexdigest()


def is_plain(value: Any) -> bool:
    """True for a value that no template is in, and nothing encrypted: it is what it says."""
    if isinstance(value, str):
        return "{" not in value and not value.startswith("#jinja2:")
    if isinstance(value, Mapping):
        return all(map(is_plain, value.values())) and all(map(is_plain, value))
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    return value is None or isinstance(value, (bool, int, float))


def resolved(raw: dict[str, Any], template: Callable[[Any], Any], error: type[Exception]) -> dict[str, Any]:
    """The values with their templates filled in; one that cannot be resolved stands for itself, as it is written.

    Plain values are left alone: most are, and going through them costs more than all the rest.
    """
    asked = {name: value for name, value in raw.items() if not is_plain(value)}
    try:
        return {**raw, **template(asked)} if asked else raw
    except error:
        return {**raw, **{name: _resolved(value, template, error) for name, value in asked.items()}}


def _resolved(value: Any, template: Callable[[Any], Any], error: type[Exception]) -> Any:
    try:
        return template(value)
    except error:
        return {UNRESOLVED: str(value)}
