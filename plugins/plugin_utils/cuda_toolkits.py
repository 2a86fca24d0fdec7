# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which toolkits a host shall have, which of them it has, and by which method the others come."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.cuda_distributions import distribution_toolkit
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

METHODS = ("repository", "distribution", "runfile")


def release_of(version: str) -> str:
    """``12.6.3`` and ``12.6`` are both of 12.6."""
    return ".".join(str(version).split(".")[:2])


def asked_updates(wants: dict[str, Any]) -> dict[str, str]:
    """{release: exact version} of the versions that were asked for with three numbers."""
    texts = [str(text) for text in wants["versions"]]
    return {release_of(text): text for text in texts if re.fullmatch(r"\d+\.\d+\.\d+", text)}


def is_grid_guest(facts: dict[str, Any]) -> bool:
    return facts.get("place") == "vgpu_guest" or bool((facts.get("grid") or {}).get("installed"))


def method_of(
    facts: dict[str, Any], chosen: dict[str, Any], wants: dict[str, Any], platform: dict[str, Any] | None
) -> str:
    """The method that was asked for, or for ``auto`` the one that suits the host.

    :param chosen: the resolver's ``cuda``, whose ``method`` may be set
    """
    if wants["method"] in METHODS:
        return str(wants["method"])
    if is_grid_guest(facts):
        return "runfile"
    if chosen.get("method") in METHODS:
        return str(chosen["method"])
    own = distribution_toolkit((platform or {}).get("name"))
    releases = [row["release"] for row in chosen.get("releases") or []]
    return "distribution" if own and releases == [own["release"]] else "repository"


def installed(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The toolkits with a compiler that the facts show."""
    return [row for row in (facts.get("cuda") or {}).get("toolkits") or [] if row.get("nvcc")]


def toolkit_of(
    release: str, update: str | None, method: str, facts: dict[str, Any], platform: dict[str, Any] | None
) -> dict[str, Any]:
    """One toolkit that is wanted: ``{release, update, method, path, nvcc, packages, present, source}``.

    A toolkit of that release which is there already counts, however it came, unless another update was asked for.
    """
    rows = [row for row in installed(facts) if row["release"] == release]
    own = [row for row in rows if (row["source"] == "distribution") == (method == "distribution")]
    there = next(iter(own or rows), None)
    right = there is not None and (update is None or there.get("update") in (None, update))
    path = there["path"] if there else "/usr" if method == "distribution" else f"/usr/local/cuda-{release}"
    packages: list[str] = []
    if method == "distribution":
        packages = list((distribution_toolkit((platform or {}).get("name")) or {}).get("packages") or [])
    elif method == "repository":
        name = f"cuda-toolkit-{release.replace('.', '-')}"
        packages = [f"{name}={update}-1" if update else name]
    return {
        "release": release,
        "update": update,
        "method": method,
        "path": path,
        "nvcc": f"{path}/bin/nvcc",
        "packages": packages,
        "present": right,
        "source": there["source"] if there else None,
    }


def default_of(toolkits: list[dict[str, Any]], wants: dict[str, Any]) -> dict[str, Any] | None:
    """The toolkit that ``/usr/local/cuda`` shall mean; a distribution's own lies in /usr and has no use for it."""
    own = [row for row in toolkits if row["path"] != "/usr"]
    asked = release_of(wants["default"]) if wants["default"] else None
    return next((row for row in own if asked in (None, row["release"])), None)


def priority_of(release: str) -> int:
    """The priority that NVIDIA's packages give the alternative: 126 for 12.6."""
    major, minor = version_key(release)[:2]
    return major * 10 + minor


def parts(rows: list[dict[str, Any]]) -> list[str]:
    """Patterns for the packages that a release consists of in NVIDIA's repository."""
    names = ("cuda-*", "libcu*", "libnpp*", "libnv*", "gds-tools")
    return [f"{name}-{row['release'].replace('.', '-')}" for row in rows for name in names]
