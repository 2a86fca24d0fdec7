# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual GPU's profile by its name: NVIDIA A40-8Q has 8 GB and the series Q, which tells what it is licensed for.

NVIDIA's own tools know fewer names than there are: RTX 6000 Ada-48C, GRID P4-2B4 and MIG's A100-1-5CME are names, too.
"""

from __future__ import annotations

import re

NAME = re.compile(
    r"(?:(?:NVIDIA|GRID) +)?"
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9 ._+]*?(?:-(?!\d)[A-Za-z]+)*(?:-\d+(?=-\d+-\d+[ABCQ]))?"
    r"-(?:[1-9]-)?(?P<size>0|[1-9][0-9]{0,4})(?P<series>[ABCQ])(?:4|ME|NOME|MEALL|GFX)?)",
    re.ASCII,
)


def profile(product):
    """``{name, series, framebuffer_gb}`` of a GPU's name, or None for a whole GPU's. NVIDIA's 0 stands for 512 MB."""
    found = NAME.fullmatch((product or "").strip()[:128])
    if not found:
        return None
    size = int(found["size"])
    return {"name": found["name"], "series": found["series"], "framebuffer_gb": size or 0.5}
