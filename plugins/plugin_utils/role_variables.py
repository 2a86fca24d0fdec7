# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A misspelt role variable is silently ignored by Ansible; here it becomes a finding."""

from __future__ import annotations

from difflib import get_close_matches


def unknown_variables(names: list[str], known: list[str], role: str) -> list[dict[str, str]]:
    """Findings for every one of *names* that *role* does not know.

    :param names: variables that carry the role's prefix, as set by the user
    :param known: the role's options and outputs
    :returns: findings in the order of *names*, each ``{severity, code, text, source}``
    """
    findings = []
    for name in sorted(set(names) - set(known)):
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "remove it, or correct its name."
        findings.append(
            {
                "severity": "error",
                "code": "unknown_variable",
                "text": f"{name} is set, but the role {role} has no such variable: {hint}",
                "source": f"roles/{role}/meta/argument_specs.yml",
            }
        )
    return findings
