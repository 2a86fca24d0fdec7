# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nvidia-gridd has said since this boot, from journalctl's JSON: a code for each line, and where it began anew."""

from __future__ import annotations

import json
import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_causes import HINTS, NO_CAUSES, classify
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_service import UNIT, ask
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_time import iso

# code: see _gridd_causes; text: the daemon's line; time: seconds since the epoch or None; hint: what to do, or None
Event = namedtuple("Event", "code text time hint")

COMMAND = ["journalctl", f"--unit={UNIT}", "--boot", "--lines=200", "--output=json", "--no-pager", "--quiet"]
# The daemon's own line, or systemd's before it. systemd's "Started" may come after the first lines of the daemon.
BEGINS = re.compile(r"^Started \(\d+\)$|^Starting (?:nvidia-gridd|NVIDIA Grid Daemon)", re.IGNORECASE)
EXITED = re.compile(r"Main process exited|Failed with result|Control process exited")
LONGEST = 500


def parse(text):
    """[Event] of the lines that say something of a licence, oldest first, with BEGIN where the daemon was started."""
    events = []
    for raw in (text or "").split("\n"):
        message, time = _row(raw)
        if not message:
            continue
        if BEGINS.search(message):
            events.append(Event("begin", message, time, None))
        elif not EXITED.search(message):
            code, hint = classify(message)
            events += [Event(code, message, time, hint)] if code else []
    return events


def _row(raw):
    """(message, seconds) of one line of JSON; a message that is not UTF-8 comes as a list of bytes."""
    try:
        row = json.loads(raw)
        message = row.get("MESSAGE")
        if isinstance(message, list):
            message = bytes(message).decode("utf-8", "replace")
        stamp = str(row.get("__REALTIME_TIMESTAMP", ""))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None, None
    if not isinstance(message, str):
        return None, None
    return message.strip()[:LONGEST], int(stamp) // 1000000 if re.fullmatch(r"[0-9]{1,20}", stamp) else None


def run_of(events):
    """The events since the daemon was last started."""
    begins = [index for index, event in enumerate(events) if event.code == "begin"]
    return events[begins[-1] + 1 :] if begins else list(events)


def last(events):
    """The last event as the facts have it, or None; an unlicensed line gives way to a cause beside it."""
    said = [event for event in events if event.code != "begin"]
    if not said:
        return None
    event = said[-1] if said[-1].code != "unlicensed" else cause(events) or said[-1]
    return {"code": event.code, "text": event.text, "time": iso(event.time)}


def cause(events):
    """The Event of this run that tells best why there is no licence, or None: the last cause with a name of its own."""
    run = run_of(events)
    acquired = [index for index, event in enumerate(run) if event.code == "licensed"]
    causes = [event for event in run[acquired[-1] + 1 if acquired else 0 :] if event.code not in NO_CAUSES]
    named = [event for event in causes if event.code != "unknown"]
    named = named or [event for event in causes if event.hint != HINTS["unknown"]] or causes
    return named[-1] if named else None


def observe(system):
    """[Event] from the machine's journal; [] where it has none."""
    return parse(ask(system, COMMAND, 15))
