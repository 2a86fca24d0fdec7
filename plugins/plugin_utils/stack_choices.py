# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the wants leave to choose on a host: a driver and, or not, a CUDA that runs on it."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue, load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_cuda import asked_releases
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_cuda_findings import driver_findings
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_guest import guest_driver
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import Driver, Host, choices_of, host_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_nccl import fits_nccl
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_releases import possible
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_vllm import vllm_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_wants import wants_of


class Stack(NamedTuple):
    """One coherent choice; the driver of a vGPU guest is of the series ``grid``. ``release``: of CUDA, None: none."""

    series: str
    flavour: str
    release: str | None


def choices(facts: dict[str, Any], asked: dict[str, Any], catalogue: Catalogue | None = None) -> set[Stack]:
    """Every choice that satisfies all wants; each want is one more condition, so that none can add a choice."""
    catalogue = catalogue or load()
    wants, _unknown = wants_of(asked)
    version, _unknown = guest_driver(wants.vgpu, catalogue)
    host = host_of(facts, wants.driver, version, catalogue)
    named, auto, unknown = asked_releases(host, wants.cuda)
    _result, _why, vllm_requires, refused = vllm_of(host, wants.vllm["version"])
    too_new, requires = driver_findings(host, named)
    if unknown or too_new or any(row["severity"] == "error" for row in refused):
        return set()
    if wants.driver["state"] != "present":
        requires = vllm_requires = []
    names = {row.name for row in named}
    found = set()
    for series, flavour, driver in _drivers(host, [*requires, *vllm_requires]):
        if not wants.cuda["versions"] and (wants.nccl["version"] is None or wants.nccl["method"] == "hpcsdk"):
            found.add(Stack(series, flavour, None))
        for release in possible(host, [driver]):
            if (auto or not names or release.name in names) and fits_nccl(host, wants.nccl, release.name):
                found.add(Stack(series, flavour, release.name))
    return found


def _drivers(host: Host, requires: list[dict[str, Any]]) -> list[tuple[str, str, Driver]]:
    if host.is_guest:
        return [("grid", "", driver) for driver in ([Driver(host.fixed, None)] if host.fixed else [])]
    return [
        (
            row.offer["series"],
            row.flavour,
            Driver(host.driver["version"] or row.offer["version"], row.branch, row.offer["branch"] is None),
        )
        for row in choices_of(host, requires)
    ]
