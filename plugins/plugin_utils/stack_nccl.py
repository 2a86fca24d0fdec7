# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which NCCL a host gets: the newest build, or the wanted one, that was made for its CUDA."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import Host
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_wants import nearest
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

Findings = list[dict[str, str]]
LIBRARIES = ("libnccl2", "libnccl")
NOTHING = {"wanted": False, "version": None, "package": None, "cuda": None, "method": None}


def cuda_of(host: Host, cuda: dict[str, Any], default: str | None) -> tuple[str | None, str]:
    """The CUDA release that NCCL must fit, and where it comes from.

    :param cuda: the stack's ``cuda``; *default*: the release that /usr/local/cuda shall mean
    """
    chosen = [row["release"] for row in cuda["releases"]]
    if default and ".".join(default.split(".")[:2]) in chosen:
        return ".".join(default.split(".")[:2]), "which cuda_default names"
    if chosen:
        return chosen[0], "which is wanted"
    facts = host.facts.get("cuda") or {}
    rows = [facts.get("default") or {}, *(facts.get("toolkits") or [])]
    return next((str(row["release"]) for row in rows if row.get("release")), None), "which is installed"


def nccl_of(
    host: Host, wants: dict[str, Any], cuda: dict[str, Any], default: str | None
) -> tuple[dict[str, Any], str, Findings]:
    """``{wanted, version, package, cuda, method}``, why, and what is wrong."""
    asked = wants["version"]
    if asked is None:
        return dict(NOTHING), "Nothing asks for NCCL.", []
    release, reason = cuda_of(host, cuda, default)
    row = {**NOTHING, "wanted": True, "cuda": release}
    if wants["method"] == "hpcsdk":
        return {**row, "method": "hpcsdk"}, "NCCL: the HPC SDK brings its own.", []
    if release is None:
        text = (
            "NCCL is built for one CUDA, and this host has no toolkit and none is asked for: nothing says which build"
            " it needs. Name the CUDA in cuda_versions."
        )
        found = [] if cuda["wanted"] else [error("nccl_cuda_unknown", text)]  # else CUDA has its own error
        return row, "NCCL: no CUDA says which.", found
    there = _installed(host, release)
    if there and wants["method"] in ("auto", there["method"]) and asked in ("auto", there["version"]):
        return {**row, **there}, f"NCCL {there['version']}: is installed, and was built for this CUDA.", []
    method, builds = _offers(host, wants["method"], asked, release, cuda["method"])
    fitting = [(build, for_cuda) for build in builds if (for_cuda := _for_cuda(build["cuda"], release))]
    named = [pair for pair in fitting if asked in ("auto", pair[0]["version"])]
    if not named:
        return row, "NCCL: no build fits.", [_refusal(host, asked, release, reason, builds, fitting, method)]
    build, for_cuda = max(
        named, key=lambda pair: (*_rank(pair[1], release)[:2], version_key(pair[0]["version"]), pair[1])
    )
    package = build["package"] if method == "distribution" else f"{build['package']}+cuda{for_cuda}"
    found = []
    if version_key(for_cuda) > version_key(release):
        text = (
            f"No NCCL for CUDA {release} is known, so the one for CUDA {for_cuda} is taken: it runs by minor-version"
            " compatibility."
        )
        found.append(note("nccl_other_minor", text, host.catalogue.cite(build["src"])))
    what = "the newest build" if asked == "auto" else "as the variables ask, the build"
    why = f"NCCL {build['version']}: {what} for CUDA {for_cuda}; the host's CUDA is {release}, {reason}."
    return {**row, "version": build["version"], "package": package, "method": method}, why, found


def fits_nccl(host: Host, wants: dict[str, Any], release: str) -> bool:
    """Whether a CUDA release leaves a build of the wanted NCCL, by whatever method."""
    asked = wants["version"]
    there = _installed(host, release)
    if asked is None or wants["method"] == "hpcsdk" or (there and asked in ("auto", there["version"])):
        return True
    own = host.catalogue.nccl["distributions"].get((host.platform or {}).get("name") or "")
    builds = [*host.catalogue.nccl["builds"], *([own] if own else [])]
    return any(asked in ("auto", row["version"]) and _for_cuda(row["cuda"], release) for row in builds)


def _installed(host: Host, release: str) -> dict[str, Any] | None:
    """``{version, package, method}`` of the NCCL that is installed, when it was built for that major CUDA release."""
    for package in (host.facts.get("nccl") or {}).get("packages") or []:
        found = re.fullmatch(r"(\d+\.\d+\.\d+)-\S+\+cuda(\d+)\.\d+", str(package.get("version") or ""))
        if package.get("name") in LIBRARIES and found and found[2] == release.split(".")[0]:
            return {"version": found[1], "package": package["version"], "method": "repository"}
    return None


def _offers(
    host: Host, method: str, asked: str, release: str, cuda_method: str | None
) -> tuple[str, list[dict[str, Any]]]:
    """The method and its builds; ``auto`` is the distribution's own build beside the distribution's own CUDA."""
    own = host.catalogue.nccl["distributions"].get((host.platform or {}).get("name") or "")
    fits = own is not None and _for_cuda(own["cuda"], release) and asked in ("auto", own["version"])
    if method == "distribution" or (method == "auto" and cuda_method in ("distribution", None) and fits):
        return "distribution", [own] if own else []
    return "repository", list(host.catalogue.nccl["builds"])


def _for_cuda(built: list[str], release: str) -> str | None:
    """Which of a build's CUDA releases suits best: the same, an earlier of the same major release, a later one."""
    same = [one for one in built if version_key(one)[:1] == version_key(release)[:1]]
    return max(same, key=lambda one: _rank(one, release), default=None)


def _rank(one: str, release: str) -> tuple[bool, bool, tuple[int, ...]]:
    return one == release, version_key(one) <= version_key(release), version_key(one)


def _refusal(
    host: Host,
    asked: str,
    release: str,
    reason: str,
    builds: list[dict[str, Any]],
    fitting: list[tuple[dict[str, Any], str]],
    method: str,
) -> dict[str, str]:
    source = host.catalogue.cite(sorted({name for build in builds for name in build["src"]}))
    versions = sorted({build["version"] for build, _cuda in fitting}, key=version_key, reverse=True)
    others = listed(nearest(asked, versions)) if versions else None
    way = f"For CUDA {release} there is {others}: ask for one of them"
    way = way if others else f"No NCCL for CUDA {release} is known"
    if asked != "auto" and asked in [build["version"] for build in builds]:
        cudas = sorted({one for build in builds if build["version"] == asked for one in build["cuda"]}, key=version_key)
        text = f"NCCL {asked} has no build for CUDA {release}, {reason}; it was built for CUDA {listed(cudas)}. {way}."
        return error("nccl_no_build", text + " Or ask for one of those in cuda_versions.", source)
    if asked != "auto":
        known = sorted({build["version"] for build in builds}, key=version_key, reverse=True)
        text = f"NCCL {asked} is not in the catalogue; the nearest known are {listed(nearest(asked, known))}. {way}."
        return error("nccl_unknown", text + " Or leave nccl_version at auto.", source)
    where = f"{(host.platform or {}).get('name')} packages no NCCL" if method == "distribution" else "no build of NCCL"
    text = f"For CUDA {release}, {reason}, {where} that fits is known."
    return error("nccl_no_build", f"{text} Ask for another CUDA in cuda_versions, or set nccl_method.", source)
