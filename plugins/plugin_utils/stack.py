# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the facts of a host and everything that is wanted of it to one coherent stack, with a reason for each choice.

Pure: no clock, no files of the host. A want is a filter over what is possible and nothing else.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue, load
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, note, ordered
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_selection import installed_version
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_cuda import (
    asked_releases,
    auto_release,
    guest_method_findings,
    method_of,
    rows_of,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_cuda_findings import (
    card_findings,
    driver_findings,
    mode_findings,
    newest_said,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_cuda_sources import (
    repository_findings,
    source_findings,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_guest import (
    fixed_plan,
    guest_driver,
    guest_findings,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import Driver, Host, host_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_nccl import nccl_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_releases import Release, newest, possible
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_vllm import vllm_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_wants import Wants, wants_of

Findings = list[dict[str, str]]


def stack(facts: dict[str, Any], wants: dict[str, Any], catalogue: Catalogue | None = None) -> dict[str, Any]:
    """The stack for one host; its shape is in the documentation of the filter gpufleet.nvidia.stack.

    :param facts: ``ansible_facts['nvidia']``
    :param wants: the variables of roles without their prefix by role, or short forms; {}: nothing is asked for
    """
    text = json.dumps([facts or {}, wants or {}], default=str)
    if catalogue is not None:
        return _resolve(json.loads(text), catalogue)
    result: dict[str, Any] = json.loads(_remembered(text))
    return result


@lru_cache(maxsize=32)
def _remembered(text: str) -> str:
    """The stack as text, for facts and wants as text: a play asks for the same one again and again."""
    return json.dumps(_resolve(json.loads(text), load()))


def _resolve(question: list[dict[str, Any]], catalogue: Catalogue) -> dict[str, Any]:
    facts, asked = question
    wants, found = wants_of(asked)
    version, unknown = guest_driver(wants.vgpu, catalogue)
    host = host_of(facts, wants.driver, version, catalogue)
    named, auto, cuda_found = asked_releases(host, wants.cuda)
    vllm, vllm_why, requires, vllm_found = vllm_of(host, wants.vllm["version"])
    too_new, cuda_requires = driver_findings(host, named)
    found += [*unknown, *cuda_found, *card_findings(host, named), *too_new, *vllm_found]
    asks = bool(wants.cuda["versions"] or vllm["wanted"])
    plan = _driver_plan(host, wants, [*cuda_requires, *requires])
    if host.is_guest:
        found += guest_findings(host, wants.vgpu, asks)
    driver = driver_of(host, plan)
    cuda, cuda_why, chosen_found = _cuda(host, wants, named, auto, driver)
    nccl, nccl_why, nccl_found = nccl_of(host, wants.nccl, cuda, wants.cuda["default"])
    found += [*plan["findings"], *_refused(host, plan), *chosen_found, *nccl_found]
    return {
        "gpus": [card.row() for card in host.cards],
        "driver": plan,
        "cuda": cuda,
        "nccl": nccl,
        "vllm": vllm,
        "findings": ordered(found),
        "why": {**plan["why"], "cuda": cuda_why, "nccl": nccl_why, "vllm": vllm_why},
    }


def _driver_plan(host: Host, wants: Wants, requires: list[dict[str, Any]]) -> dict[str, Any]:
    if host.is_guest:
        return fixed_plan(host, wants.vgpu)
    required = requires if wants.driver["state"] == "present" else []
    return {"fixed": False, **driver_plan(host.facts, {**wants.driver, "requires": required}, host.catalogue)}


def driver_of(host: Host, plan: dict[str, Any]) -> Driver | None:
    """The driver that the host has once the plan is carried out; None: there is none."""
    if host.is_guest:
        return Driver(host.fixed, plan["branch"]) if host.fixed else None
    if plan["series"] is None:
        return None
    offers = (host.offering or {}).get("offers") or []
    offer: dict[str, Any] = next((row for row in offers if row["series"] == plan["series"]), {})
    loaded = (host.facts.get("driver") or {}).get("loaded") or {}
    there = installed_version(host.facts) or loaded.get("version")  # a container sees only what is loaded
    if not plan["upgrade"] and not plan["version"] and there and there.split(".")[0] == str(plan["branch"]):
        return Driver(there, plan["branch"])
    branch = plan["branch"] or offer.get("branch_min")
    return Driver(plan["version"] or offer.get("version"), branch, plan["branch"] is None)


def _cuda(
    host: Host, wants: Wants, named: list[Release], auto: bool, driver: Driver | None
) -> tuple[dict[str, Any], str, Findings]:
    result = {"wanted": bool(wants.cuda["versions"]), "releases": [], "method": None, "newest": newest(host)}
    if not result["wanted"]:
        latest = f" The newest that can be had here is {result['newest']}." if result["newest"] else ""
        return result, f"Nothing asks for CUDA.{latest}", []
    chosen, reasons, found = list(named), [], []
    if named:
        reasons.append(f"CUDA {', '.join(row.update or row.name for row in named)}: as the variables ask.")
    if auto and driver is not None:
        left = possible(host, [driver])
        picked, why = auto_release(host, wants.cuda, driver, left)
        if picked is None:
            found.append(_nothing_left(host, wants.cuda, driver))
        else:
            reasons.append(why)
            first = wants.cuda["versions"][0] == "auto"
            others = [row for row in named if row.name != picked.name]
            chosen = named if len(others) < len(named) else [picked, *named] if first else [*named, picked]
    elif auto:
        reasons.append("CUDA auto: no driver says which.")
    method = method_of(host, wants.cuda, chosen) if chosen else None
    result.update(releases=rows_of(chosen, driver), method=method)
    found += [*mode_findings(host, chosen, driver)]
    if method:
        found += guest_method_findings(host, wants.cuda, method, chosen)
        found += repository_findings(host, wants.cuda, method, chosen)
        found += source_findings(host, wants.cuda, method)
    return result, " ".join(reasons) or "CUDA: nothing that is asked for can be had.", found


def _nothing_left(host: Host, wants: dict[str, Any], driver: Driver) -> dict[str, str]:
    what = "of the distribution's own" if wants["method"] == "distribution" else "of the catalogue"
    text = f"No CUDA {what} runs with driver {driver} and compiles for every card here. {newest_said(host)}"
    return error("cuda_none_fits", text)


def _refused(host: Host, plan: dict[str, Any]) -> Findings:
    """Beside the driver's own refusal: the newest CUDA that the wanted driver would run."""
    if not any(row["code"] == "driver_too_old_for" for row in plan["findings"]):
        return []
    return [note("cuda_newest", f"{newest_said(host)} That counts every driver that can be chosen here.")]
