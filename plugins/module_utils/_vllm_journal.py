# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a vLLM server has said in its last run that said something, from journalctl's JSON."""

from __future__ import annotations

import json
import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_causes import decisive

LONGEST = 600
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# Lines of systemd's that tell a cause by themselves; its others are about units, not about servers.
TELLING = re.compile(r"OOM killer|oom-kill|Failed at step|status=2\d\d/|Unable to locate|Failed to set up mount")


def command(unit):
    return ["journalctl", f"--unit={unit}", "--boot", "--lines=600", "--output=json", "--no-pager", "--quiet"]


def parse(text):
    """[(run, line)] oldest first; *run* is systemd's id of one start of the unit, or None."""
    found = []
    for raw in (text or "").split("\n"):
        try:
            row = json.loads(raw)
            message = row.get("MESSAGE")
            message = bytes(message).decode("utf-8", "replace") if isinstance(message, list) else message
            run = row.get("_SYSTEMD_INVOCATION_ID") or row.get("INVOCATION_ID")
            is_own = row.get("SYSLOG_IDENTIFIER") != "systemd"
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        if isinstance(message, str) and (is_own or TELLING.search(message)):
            lines = [COLOURS.sub("", line).rstrip()[:LONGEST] for line in message.split("\n")]
            found += [(run if isinstance(run, str) else None, line) for line in lines if line.strip()]
    return found


def last_run(rows):
    """The lines of the last run of the server."""
    return [line for run, line in rows if run == rows[-1][0]] if rows else []


def cause(system, unit):
    """{cause, line, hint} of why the unit's server has ended; those before are asked when the last run says nothing."""
    rows = parse(system.run(command(unit), timeout=30).out)
    code, line, hint = decisive(last_run(rows))
    if code == "unknown":
        code, line, hint = decisive([text for _run, text in rows])
    return {"cause": code, "line": line, "hint": hint}
