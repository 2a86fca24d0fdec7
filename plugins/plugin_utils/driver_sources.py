# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a driver can come from: a platform's offers by method, and NVIDIA's own repository with its address and key."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error

DEFAULT_MACHINE = "x86_64"


@cache
def _nvidia() -> dict[str, Any]:
    path = Path(catalogue.__file__).parent / "repositories.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))["nvidia"]


def repository_for(
    platform_name: str | None, url: str | None = None, key: dict[str, Any] | None = None, owner: str = "driver"
) -> dict[str, Any] | None:
    """NVIDIA's repository for a platform such as ``Debian 12``; None: it has none for it.

    :param url: another base address, such as a mirror's, in place of the catalogue's; the platform's folder is added
    :param key: ``{url, content, fingerprint}``, each in place of the catalogue's
    :param owner: whose file and keyring it is: roles do not share theirs
    :returns: ``{title, folder, path, url, key: {path, url, content, fingerprint}, needs, src}``; *url* ends with ``/``
    """
    row = _nvidia()["platforms"].get(platform_name or "")
    if row is None:
        return None
    base = (url or _nvidia()["url"]).rstrip("/")
    place = f"{base}/{row['folder']}/{DEFAULT_MACHINE}/"
    known = _nvidia()["keys"].get(row["key"]) or {"file": None, "fingerprint": None}
    given = {name: value for name, value in (key or {}).items() if value}
    return {
        "title": _nvidia()["title"],
        "folder": row["folder"],
        "path": f"/etc/apt/sources.list.d/gpufleet-nvidia-{owner}.sources",
        "url": place,
        "key": {
            "path": f"/etc/apt/keyrings/gpufleet-nvidia-{owner}.asc",
            "url": given.get("url") or (place + known["file"] if known["file"] else None),
            "content": given.get("content"),
            "fingerprint": given.get("fingerprint") or (None if given.get("url") else known["fingerprint"]),
        },
        "needs": row.get("needs"),
        "src": row["src"],
    }


def platform_of_method(platform: dict[str, Any], method: str) -> dict[str, Any] | None:
    """The platform with the offers of that method; None: there are none."""
    if method == "package":
        return platform
    row = _nvidia()["platforms"].get(platform["name"])
    if method != "repository" or row is None:
        return None
    name = f"{_nvidia()['title']} for {platform['name']}"
    if "offers" not in row:
        return {**platform, "name": name, "needs_repository": row.get("needs")}
    offers = [_offer(offer, row) for offer in row["offers"]]
    changed = {"name": name, "offers": offers, "src": row["src"], "transitional": {}, "outside": {}}
    return {**platform, **changed, "precompiled_with_secure_boot": False}


def _offer(offer: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    template = _nvidia()["series"][offer["like"]]
    allowed = offer.get("flavours", catalogue.FLAVOURS)
    builds = {
        build: {flavour: data for flavour, data in flavours.items() if flavour in allowed}
        for build, flavours in template["builds"].items()
    }
    return {
        "branch_min": offer["branch"],
        "version": None,
        **offer,
        "components": row["components"],
        "pinning": _nvidia()["pinning"],
        "compute": template["compute"],
        "graphics": template["graphics"],
        "persistence": template["persistence"],
        "builds": builds,
    }


def method_findings(platform: dict[str, Any], method: str) -> list[dict[str, str]]:
    """The error for a method that the platform does not have."""
    text = (
        f"{_nvidia()['title']} has no driver for {platform['name']}, so nvidia_driver_method: {method} means nothing"
        " there. Set nvidia_driver_method: package."
    )
    return [error("method_not_offered", text, "the catalogue")]
