# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is known about a host before its first change, as one report."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import ordered

Findings = list[dict[str, str]]
# What was seen on the host makes a guess from the facts superfluous: prefix of the seen code → code of the guess.
SUPERSEDES = {"signing_key_": "secure_boot_untrusted"}
REFUSED = {"error": ("error",), "warning": ("error", "warning"), "nothing": ()}


def preflight_report(findings: Findings, fail_on: str = "error") -> dict[str, Any]:
    """``{findings, lines, refused}``: sorted findings, a line of each, and the sentences that refuse.

    :param findings: of the resolver, the roles' plans and the module, in any order
    :param fail_on: ``error``, ``warning`` (both refuse) or ``nothing``
    """
    if fail_on not in REFUSED:
        raise ValueError(f"fail_on is {fail_on!r}, which is none of {', '.join(REFUSED)}.")
    seen = {row["code"] for row in findings}
    gone = {guess for prefix, guess in SUPERSEDES.items() if any(code.startswith(prefix) for code in seen)}
    kept = ordered([row for row in findings if row["code"] not in gone])
    return {
        "findings": kept,
        "lines": [f"{row['severity'].upper()}: {row['text']}" for row in kept],
        "refused": [row["text"] for row in kept if row["severity"] in REFUSED[fail_on]],
    }
