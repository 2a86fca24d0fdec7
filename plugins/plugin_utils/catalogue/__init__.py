# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue: what is known of GPUs, driver branches and distributions, read from the data files beside this one.

Adding a distribution, a GPU or a branch is a change of data; nothing here knows any of them by name.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
TABLES = ("sources", "architectures", "branches", "boards", "cuda", "nccl", "vllm", "vgpu")
FLAVOURS = ("open", "proprietary")


class Catalogue:
    """All tables: sources, architectures, branches (by whole number), boards (by PCI device id), platforms, and what
    runs on a driver: cuda (majors, releases), nccl (builds, distributions), vllm and vgpu (by release line).
    """

    def __init__(self, tables: dict[str, Any], platforms: list[dict[str, Any]]) -> None:
        self.sources: dict[str, Any] = tables["sources"]
        self.architectures: dict[str, Any] = tables["architectures"]
        self.boards: dict[str, Any] = tables["boards"]
        self.branches: dict[int, Any] = {int(number): row for number, row in tables["branches"].items()}
        self.cuda: dict[str, Any] = tables["cuda"]
        self.nccl: dict[str, Any] = tables["nccl"]
        self.vllm: dict[str, Any] = tables["vllm"]
        self.vgpu: dict[str, Any] = tables["vgpu"]
        self.platforms = platforms

    def cite(self, ids: list[str]) -> str:
        """A readable list of the sources with these ids, such as ``Driver README 535.261.03 (url)``."""
        rows = [self.sources[name] for name in ids]
        return "; ".join(f"{row['title']} ({row['url']})" if "url" in row else row["title"] for row in rows)

    def platform(self, distribution: str | None, version: str | None) -> dict[str, Any] | None:
        """The platform of a host, with its release's own keys laid over the family's; None: not in the catalogue.

        :param distribution: the ID of os-release, such as ``debian`` or ``rocky``
        :param version: VERSION_ID, such as ``12``, ``24.04`` or ``9.4``; a rolling release has none
        """
        for family in self.platforms:
            if distribution not in family["distributions"]:
                continue
            for key in (version or "", (version or "").split(".", maxsplit=1)[0], "rolling"):
                if key in family["releases"]:
                    return _flatten(family, key)
        return None

    def supported(self) -> list[str]:
        """The names of all platforms, as people say them: ``Debian 12``."""
        return [_name(row, release) for row in self.platforms for release in row["releases"]]


def _name(family: dict[str, Any], release: str) -> str:
    return family["title"] if release == "rolling" else f"{family['title']} {release}"


def _flatten(family: dict[str, Any], release: str) -> dict[str, Any]:
    merged = {key: value for key, value in family.items() if key not in ("releases", "series")}
    merged.update(family["releases"][release])
    merged["release"] = release
    merged["name"] = _name(family, release)
    merged["offers"] = [_offer(family, row) for row in family["releases"][release]["offers"]]
    return merged


def _offer(family: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """One driver series of a release: ``{series, branch, branch_min, version, components, builds, compute, graphics}``.

    ``builds`` has, by way of building (dkms, precompiled) and flavour, ``{kernel: [patterns], module, …}``.
    """
    template = family["series"][row.get("like", row["series"])]
    allowed = row.get("flavours", FLAVOURS)
    builds = {
        build: {flavour: data for flavour, data in flavours.items() if flavour in allowed}
        for build, flavours in template["builds"].items()
    }
    return {
        "branch_min": row["branch"],
        "components": family.get("components", []),
        **row,
        "compute": template["compute"],
        "graphics": template["graphics"],
        "builds": {build: flavours for build, flavours in builds.items() if flavours},
    }


def _read(path: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)


@cache
def load() -> Catalogue:
    """The catalogue that comes with the collection; read once for a process."""
    tables = {name: _read(HERE / f"{name}.yml") for name in TABLES}
    return Catalogue(tables, [_read(path) for path in sorted((HERE / "platforms").glob("*.yml"))])
