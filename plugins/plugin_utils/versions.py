# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions as NVIDIA writes them: numbers between dots, some with leading zeros, in two parts or in three."""

from __future__ import annotations

import re


def version_key(text: str) -> tuple[int, ...]:
    """``580.159.04`` → (580, 159, 4): compares as people mean it; anything after the numbers is left out."""
    found = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()
