# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's own repository on a host with apt: one file of ours and one key, unless the host has it by itself.

apt refuses two entries of one archive that name different keys. An entry that is there already, such as the one of the
package cuda-keyring or of another role, is therefore used as it is.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_files import HEADER, present
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note

Findings = list[dict[str, str]]


def file_and_key(
    facts: dict[str, Any], source: dict[str, Any], allowed: bool
) -> tuple[dict[str, Any] | None, dict[str, Any] | None, Findings]:
    """Our file ``{path, content, mode}``, our key ``{path, url, content, fingerprint}``, and findings.

    Both are None where the host has the repository enabled by itself, or where an error stands in the way.

    :param source: the result of driver_sources.repository_for
    """
    theirs = [row for row in facts.get("repositories") or [] if row["file"] != source["path"]]
    same = [row["file"] for row in theirs if any(_place(uri) == _place(source["url"]) for uri in row["uris"])]
    if same:
        text = f"{source['title']} is enabled on this host by {listed(list(dict.fromkeys(same)))}, and used as it is."
        return None, None, [note("repository_of_the_host", text)]
    if not allowed:
        text = (
            f"{source['title']} is not enabled on this host, and nvidia_driver_repositories_ok is false. Add"
            f" {source['url']} to the host's own package sources, or set nvidia_driver_repositories_ok: true."
        )
        return None, None, [error("repository_not_allowed", text)]
    key = source["key"]
    if not key["fingerprint"] or not (key["url"] or key["content"]):
        text = (
            f"The key of {source['title']} for {source['folder']} is not known here for certain. Set"
            " nvidia_driver_repository_key to its url (or content) and its fingerprint, as NVIDIA publishes them."
        )
        return None, None, [error("repository_key_unknown", text)]
    lines = [f"# {HEADER}", "Types: deb", f"URIs: {source['url']}", "Suites: /", f"Signed-By: {key['path']}"]
    return present(source["path"], "\n".join(lines) + "\n"), key, []


def _place(uri: str) -> str:
    """An address without its scheme and closing slash: the same archive by http and https."""
    return uri.split("://", 1)[-1].rstrip("/").lower()
