# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a vLLM needs of a host: a driver for its CUDA, cards that its kernels know, a Python, a C library."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import Card, Host, driver_said, drivers
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_wants import nearest
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

Findings = list[dict[str, str]]
KEYS = ("version", "line", "cuda", "compute_capability", "python", "torch")
NOTHING: dict[str, Any] = {"wanted": False, **dict.fromkeys(KEYS)}


def vllm_of(host: Host, asked: str | None) -> tuple[dict[str, Any], str, list[dict[str, Any]], Findings]:
    """``{wanted, version, line, cuda, …}``, why, what it requires of the driver, and what is wrong."""
    if asked is None:
        return dict(NOTHING), "Nothing asks for vLLM.", [], []
    line, version = _line(host, asked)
    if line is None:
        known = sorted((name for row in host.catalogue.vllm.values() for name in row["versions"]), key=version_key)
        near = listed(nearest(asked, [*host.catalogue.vllm, *known]))
        text = (
            f"vLLM {asked} is not in the catalogue, so its needs are unknown; the nearest known are {near}. Ask for one"
            ' of them, in quotes ("0.20", not 0.2).'
        )
        return {**NOTHING, "wanted": True}, "vLLM: not known.", [], [error("vllm_unknown", text)]
    row = host.catalogue.vllm[line]
    source = host.catalogue.cite(row["src"])
    result = {"wanted": True, "version": version, "line": line, **{key: row.get(key) for key in KEYS[2:]}}
    found = [*_card_findings(host, version, row, source), *_system_findings(host, version, row, source)]
    requires, refused = _requirement(host, version, row, source)
    reason = "as the variables ask" if version == asked else f"is the newest known of {line}"
    why = (
        f"vLLM {version}: {reason}; its wheels bring CUDA {row['cuda']} and torch {row.get('torch') or 'of their own'}."
    )
    return result, why, requires, found + refused


def _line(host: Host, asked: str) -> tuple[str | None, str]:
    for line, row in host.catalogue.vllm.items():
        if asked == line:
            return line, max(row["versions"], key=version_key)
        if asked in row["versions"]:
            return line, asked
    return None, asked


def least_driver(host: Host, row: dict[str, Any]) -> str | None:
    """The least driver for the CUDA of a line; None: it is not known."""
    major = host.catalogue.cuda["majors"].get(str(row["cuda"]).split(".", maxsplit=1)[0])
    return str(major["floor"]) if major else None


def _suits(card: Card, row: dict[str, Any]) -> bool | None:
    """None: too little is known of the card."""
    if not card.possible:
        return None
    return any(version_key(one) >= version_key(row["compute_capability"]) for one in card.possible)


def _card_findings(host: Host, version: str, row: dict[str, Any], source: str) -> Findings:
    bad = [card for card in host.cards if _suits(card, row) is False]
    least = row["compute_capability"]
    found = []
    if bad and len(bad) == len(host.cards):
        lines = [name for name, other in host.catalogue.vllm.items() if all(_suits(card, other) for card in host.cards)]
        older = f"Take an older line ({listed(lines)})" if lines else "No known vLLM runs there: use another server"
        text = (
            f"vLLM {version} needs compute capability {least} or more, which"
            f" {listed([str(card) for card in bad])} cannot give. {older}, or another card."
        )
        found.append(error("vllm_gpu_unsupported", text, source))
    elif bad:
        text = (
            f"vLLM {version} needs compute capability {least} or more, so it cannot use"
            f" {listed([str(card) for card in bad])}. Keep it to the other cards with CUDA_VISIBLE_DEVICES."
        )
        found.append(warning("vllm_gpu_unused", text, source))
    unknown = [str(card) for card in host.cards if _suits(card, row) is None]
    if unknown:
        text = (
            f"The compute capability of {listed(unknown)} is unknown, so whether vLLM {version} (at least {least}) runs"
            " there is unknown as well. Look it up on NVIDIA's page before you rely on it."
        )
        found.append(warning("vllm_gpu_unknown", text, source))
    return found


def _system_findings(host: Host, version: str, row: dict[str, Any], source: str) -> Findings:
    system = host.facts.get("system") or {}
    found = []
    python, known = str(system.get("python") or ""), row.get("python")
    low, high = known or (None, None)
    upto = f"to {high}" if high else "and newer"
    if python and low and not version_key(low) <= version_key(python)[:2] <= version_key(high or "99"):
        text = (
            f"vLLM {version} has wheels for Python {low} {upto}, and this host's is {python}. Install one"
            " of those beside it for vLLM, or run vLLM in a container."
        )
        found.append(warning("vllm_python", text, source))
    glibc, least = str(system.get("glibc") or ""), row.get("glibc")
    if glibc and least and version_key(glibc) < version_key(least):
        text = (
            f"The wheels of vLLM {version} need glibc {least} or newer, and this host has {glibc}, which comes with the"
            " distribution. Take an older vLLM or a newer distribution, or run vLLM in a container."
        )
        found.append(error("vllm_glibc", text, source))
    return found


def _requirement(host: Host, version: str, row: dict[str, Any], source: str) -> tuple[list[dict[str, Any]], Findings]:
    least = least_driver(host, row)
    choices = drivers(host, free=True)
    if least is None or not choices:
        return [], []
    if any(driver.reaches(least) for driver in choices):
        return [{"what": f"vLLM {version}", "min_driver": least, "source": source}], []
    lines = [
        name
        for name, other in host.catalogue.vllm.items()
        if (floor := least_driver(host, other)) and any(driver.reaches(floor) for driver in choices)
    ]
    newest = max(lines, key=version_key) if lines else None
    way = f"The newest vLLM that such a driver runs is {newest}: ask for that" if newest else "No known vLLM runs there"
    text = f"vLLM {version} brings CUDA {row['cuda']}, which needs driver {least} or newer, but"
    return [], [error("vllm_needs_newer_driver", f"{text} {driver_said(host, choices)}. {way}.", source)]
