# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for, in one shape: short forms such as ``cuda: "12.6"`` and the variables of roles mean the same."""

from __future__ import annotations

from bisect import bisect
from difflib import get_close_matches
from typing import Any, NamedTuple

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import DEFAULTS
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_options import role_options
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

Findings = list[dict[str, str]]
SHORT = {  # short form: (role, variable without the role's prefix)
    "driver_branch": ("nvidia_driver", "branch"),
    "driver_version": ("nvidia_driver", "version"),
    "driver_method": ("nvidia_driver", "method"),
    "flavour": ("nvidia_driver", "flavour"),
    "vllm": ("vllm_serve", "version"),
    "cuda": ("cuda", "versions"),
    "nccl": ("nccl", "version"),
}
ROLES = ("nvidia_driver", "cuda", "nccl", "vllm_serve")
UNSET: dict[str, Any] = {"flavour": "auto", "method": None}  # by variable: the value that asks for nothing
CUDA: dict[str, Any] = {
    "state": "present",
    "versions": [],
    "method": "auto",
    "default": None,
    "protect_driver_enabled": False,
}
NCCL: dict[str, Any] = {"state": "present", "version": None, "method": "auto"}
VLLM: dict[str, Any] = {"state": "present", "version": None}


class Wants(NamedTuple):
    """The variables of each role, with defaults; versions are text. ``vgpu`` is a release of vGPU software."""

    driver: dict[str, Any]
    cuda: dict[str, Any]
    nccl: dict[str, Any]
    vllm: dict[str, Any]
    vgpu: str | None


def wants_of(asked: dict[str, Any]) -> tuple[Wants, Findings]:
    """The wants, and an error for each that is unknown or that contradicts another."""
    given, found = _by_role(asked)
    vgpu = asked.get("vgpu")
    driver = {**DEFAULTS, **given["nvidia_driver"], "requires": []}
    driver["version"] = _text(driver["version"])
    driver["branch"], invalid = _branch(driver["branch"])
    cuda = {**CUDA, **given["cuda"]}
    cuda["versions"] = _texts(cuda["versions"]) if cuda["state"] == "present" else []
    nccl = {**NCCL, **given["nccl"]}
    nccl["version"] = _text(nccl["version"]) if nccl["state"] == "present" else None
    vllm = {**VLLM, **given["vllm_serve"]}
    vllm["version"] = _text(vllm["version"]) if vllm["state"] == "present" else None
    return Wants(driver, cuda, nccl, vllm, _text(vgpu)), found + invalid


def _by_role(asked: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], Findings]:
    found: Findings = []
    given: dict[str, dict[str, Any]] = {role: {} for role in ROLES}
    for key, value in asked.items():
        if isinstance(value, dict) and (key in ROLES or key in role_options()):
            found += _unknown_options(key, value)
            given.setdefault(key, {}).update(value)
    for key, value in asked.items():
        if key in SHORT and not isinstance(value, dict):
            role, option = SHORT[key]
            found += _conflict(key, value, given[role].get(option, UNSET.get(option)), f"{role}_{option}", option)
            if value is not None:
                given[role][option] = value
        elif key != "vgpu" and not (isinstance(value, dict) and (key in ROLES or key in role_options())):
            found.append(_unknown(key))
    return given, found


def _unknown(key: str) -> dict[str, str]:
    known = [*SHORT, "vgpu", *dict.fromkeys([*ROLES, *role_options()])]
    near = get_close_matches(str(key), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {listed(sorted(known))}."
    return error("want_unknown", f"{key!r} is not something that can be asked for: {hint}")


def _unknown_options(role: str, values: dict[str, Any]) -> Findings:
    """An error for each variable that the role does not have; a role that is not there yet is not judged."""
    options = role_options().get(role)
    # Of its secrets the driver's role says only whether they are there.
    known = [*(options or values), *(DEFAULTS if role == "nvidia_driver" else ()), "requires"]
    found = []
    for name in values:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {listed(sorted(known))}."
            text = f"The role {role} has no variable {role}_{name}, which the wants name: {hint}"
            found.append(error("want_unknown", text))
    return found


def _conflict(key: str, value: Any, other: Any, variable: str, option: str) -> Findings:
    unset: tuple[Any, ...] = (None, "", "auto", [], UNSET.get(option))
    if value in unset or other in unset or _texts(value) == _texts(other):
        return []
    text = f"{key} is {_said(value)}, but {variable} is {_said(other)}: two answers to one question. Remove one."
    return [error("want_conflict", text)]


def _said(value: Any) -> str:
    return listed(_texts(value)) if isinstance(value, list) else str(value)


def _branch(value: Any) -> tuple[int | None, Findings]:
    if value in (None, ""):
        return None, []
    key = version_key(str(value))
    if len(key) == 1:
        return key[0], []
    text = f"The driver branch {value!r} is not a number such as 580. Set nvidia_driver_branch to one, or to null."
    return None, [error("branch_invalid", text)]


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def _texts(value: Any) -> list[str]:
    """A list of texts of one value or of several; a want of nothing is an empty list."""
    rows = value if isinstance(value, list) else [value]
    return [str(row) for row in rows if row not in (None, "")]


def nearest(asked: str, known: list[str], count: int = 3) -> list[str]:
    """Those of the *known* versions that are nearest to *asked*, nearest first; for what is no version the first."""
    key = version_key(asked)
    if not key:
        return known[:count]

    ranked = sorted(known, key=version_key)
    place = bisect([version_key(name) for name in ranked], key) - 0.5
    return sorted(known, key=lambda name: (name != asked, abs(ranked.index(name) - place)))[:count]
