# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A finding of a check that ran on the host, in the shape that the plans' findings have."""

from __future__ import annotations


def finding(severity, code, text, source):
    """``{severity, code, text, source}``; *severity* is error, warning or note, *source* what the check looked at."""
    return {"severity": severity, "code": code, "text": text, "source": source}


def listed(words, limit=8):
    """``a, b and c``; of many the first ones and the number of the others."""
    words = list(words)
    more = [f"{len(words) - limit} more"] if len(words) > limit else []
    words = words[:limit] + more
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"
