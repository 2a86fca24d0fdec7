# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The components of the distribution's own archive that hold the driver, enabled in a file of our own.

The host's entries are copied, not invented: same URIs, suites and Signed-By (apt refuses two opinions on the key of one
archive), and only the components that are missing.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_files import HEADER, present
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed

PATH = "/etc/apt/sources.list.d/gpufleet-nvidia.sources"


def repository_of(
    facts: dict[str, Any], codename: str, suites: list[str], components: list[str], allowed: bool
) -> tuple[dict[str, Any] | None, list[dict[str, str]]]:
    """Our file ``{path, content, mode}`` and findings; None: the host has all components enabled by itself.

    :param suites: names of the release's suites, the main one first; those that the host does not use are left alone
    :param allowed: whether the file may be written
    """
    theirs = [row for row in facts.get("repositories") or [] if PATH not in (row.get("file"), row.get("path"))]
    stanzas: dict[tuple[Any, ...], list[str]] = {}
    for suite in suites:
        rows = [row for row in theirs if row["suite"] == suite]
        main = next((row for row in rows if "main" in row["components"]), None)
        enabled = {component for row in rows for component in row["components"]}
        missing = tuple(component for component in components if component not in enabled)
        if main and missing:
            stanzas.setdefault((tuple(main["uris"]), main.get("signed_by"), missing), []).append(suite)
        if suite == codename and missing and not main:
            return None, [_no_archive(codename, missing)]
    if not stanzas:
        return None, []
    if not allowed:
        return None, [_not_allowed(codename, next(iter(stanzas))[2])]
    text = "\n".join(_stanza(names, *key) for key, names in stanzas.items())
    return present(PATH, f"# {HEADER}\n{text}"), []


def _stanza(suites: list[str], uris: tuple[str, ...], signed_by: str | None, components: tuple[str, ...]) -> str:
    lines = [
        "Types: deb",
        f"URIs: {' '.join(uris)}",
        f"Suites: {' '.join(suites)}",
        f"Components: {' '.join(components)}",
    ]
    if signed_by and "\n" in signed_by.strip():
        lines += ["Signed-By:", *(f" {line.strip() or '.'}" for line in signed_by.strip().split("\n"))]
    elif signed_by:
        lines.append(f"Signed-By: {signed_by.strip()}")
    return "\n".join(lines) + "\n"


def _no_archive(codename: str, missing: tuple[str, ...]) -> dict[str, str]:
    return error(
        "repository_unknown",
        f"None of the host's package sources has {codename} main, so it is not known where its {listed(list(missing))}"
        f" would come from. Add the distribution's archive to the host's sources, with {listed(list(missing))} if it is"
        " a mirror under another suite name.",
    )


def _not_allowed(codename: str, missing: tuple[str, ...]) -> dict[str, str]:
    return error(
        "repository_components_missing",
        f"The driver is in {listed(list(missing))} of {codename}, which the host has not enabled, and"
        f" nvidia_driver_repositories_ok is false. Add {' '.join(missing)} to the host's own package sources, or set"
        " nvidia_driver_repositories_ok: true.",
    )
