# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A finding: something that a person must know before a change, with a stable code and a way out."""

from __future__ import annotations

SEEN = "facts of the host"
RERUN = "run playbooks/site.yml again"


def finding(severity: str, code: str, text: str, source: str = SEEN) -> dict[str, str]:
    """``{severity: error|warning|note, code, text, source}``; *text* says what, why, and what to do."""
    return {"severity": severity, "code": code, "text": text, "source": source}


def error(code: str, text: str, source: str = SEEN) -> dict[str, str]:
    return finding("error", code, text, source)


def warning(code: str, text: str, source: str = SEEN) -> dict[str, str]:
    return finding("warning", code, text, source)


def note(code: str, text: str, source: str = SEEN) -> dict[str, str]:
    return finding("note", code, text, source)


def ordered(findings: list[dict[str, str]]) -> list[dict[str, str]]:
    """Errors first, each text once; otherwise in the order of discovery."""
    unique = list({row["text"]: row for row in findings}.values())
    return sorted(unique, key=lambda row: ("error", "warning", "note").index(row["severity"]))


def listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"
