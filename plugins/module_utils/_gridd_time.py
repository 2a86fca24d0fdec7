# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as the licence's parts give them: seconds, ISO 8601, and NVIDIA's own form without leading zeros."""

from __future__ import annotations

import re
from datetime import datetime, timezone

# 2024-2-1 2:36:3 GMT
NVIDIA = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2}):(\d{1,2})", re.ASCII)
# What systemctl prints in the zone UTC: Sat 2026-11-21 02:25:00 UTC
SYSTEMD = re.compile(r"[A-Z][a-z]{2} (\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d) UTC", re.ASCII)


def iso(seconds):
    """Seconds since the epoch as ``2026-04-03T19:11:16Z``; None for None and for what is no time."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(int(seconds), tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None


def seconds_of(numbers):
    """Seconds since the epoch of (year, month, day, hour, minute, second) in UTC; None where that is no time."""
    try:
        year, month, day, hour, minute, second = map(int, numbers)
        return int(datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc).timestamp())
    except (ValueError, OverflowError, TypeError):
        return None


def parse(text, form=NVIDIA):
    """Seconds since the epoch of the first time in a text, or None."""
    found = form.search(text or "")
    return seconds_of(found.groups()) if found else None
