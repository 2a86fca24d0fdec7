# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of mediated devices: their names, descriptions and parameters as NVIDIA writes them."""

from __future__ import annotations

import difflib
import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_profile import profile

ADDRESS = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])", re.ASCII)
SLICES = re.compile(r"-([1-9])-\d+[ABCQ]")
COLON_ROW = re.compile(r"(\d{1,9})\s*:\s*(\S.*)", re.ASCII)
COLUMN_ROW = re.compile(r"(\S.*?)\s+(\d{1,9})", re.ASCII)  # one source shows the list so
MIB = re.compile(r"(\d{1,9})M", re.ASCII)
NEAR = 5  # names that are offered where a type is unknown


def address(text):
    """A PCI address as sysfs writes it: ``05:00.0`` and nvidia-smi's ``00000000:05:00.0`` are ``0000:05:00.0``.

    What is no PCI address is given back as it came: a parent may be another device.
    """
    word = (text or "").strip()
    found = ADDRESS.fullmatch(word.lower())
    return f"{int(found[1] or '0', 16):04x}:{found[2]}" if found else word


def parse_pairs(text):
    """``a=1, b=2`` → {"a": "1", "b": "2"}; a word without a value is left out."""
    pairs = (part.partition("=") for part in (text or "").split(","))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals and name.strip()}


def render_pairs(pairs):
    """The text that ``vgpu_params`` takes. It replaces all parameters at once; a blank clears them."""
    return ",".join(f"{name}={pairs[name]}" for name in sorted(pairs)) or " "


def _number(text):
    return int(text) if text is not None and re.fullmatch(r"\d{1,9}", text, re.ASCII) else None


def describe(identity, name=None, description=None, available=None):
    """A type as the facts have it; what neither name nor description tells is None.

    :param identity: ``nvidia-65``; :param name: ``GRID P4-4Q``; :param available: instances that can be made now
    """
    told, known = parse_pairs(description), profile(name)
    size = MIB.fullmatch(told.get("framebuffer", ""))
    slices = SLICES.search(known["name"]) if known else None
    by_name = int(known["framebuffer_gb"] * 1024) if known else None
    return {
        "id": identity,
        "name": name,
        "profile": known["name"] if known else None,
        "series": known["series"] if known else None,
        "framebuffer_mib": int(size[1]) if size else by_name,
        "slices": int(slices[1]) if slices else None,
        "max_instances": _number(told.get("max_instance")),
        "heads": _number(told.get("num_heads")),
        "max_resolution": told.get("max_resolution"),
        "frame_rate_limit": _number(told.get("frl_config")),
        "available": available,
        "description": description,
    }


def parse_creatable(text):
    """{id: name} of a function's ``creatable_vgpu_types``: ``694   : NVIDIA A16-2Q`` below a heading."""
    types = {}
    for line in (text or "").splitlines():
        row = COLON_ROW.fullmatch(line.strip())
        column = COLUMN_ROW.fullmatch(line.strip()) if not row else None
        if row:
            types[f"nvidia-{int(row[1])}"] = row[2].strip()
        elif column and ":" not in line:
            types[f"nvidia-{int(column[2])}"] = column[1]
    return types


def is_called(wanted, identity, name):
    """Whether a type is the one that *wanted* means: an id, the number of one, a name, or a name without its maker."""
    word = (wanted or "").strip()
    known = profile(name)
    return bool(word) and word in (
        identity,
        name,
        known["name"] if known else None,
        identity[len("nvidia-") :] if identity.startswith("nvidia-") else None,
    )


def nearest(wanted, names):
    """The names that look most like *wanted*, best first."""
    plain = {name.lower(): name for name in names if name}
    close = difflib.get_close_matches((wanted or "").lower()[:80], plain, n=NEAR, cutoff=0.4)
    return [plain[name] for name in close]
