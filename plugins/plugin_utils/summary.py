# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of one host as a few lines that a person reads."""

from __future__ import annotations

from typing import Any

Facts = dict[str, Any]


def _on(value: bool | None) -> str:
    return {True: "on", False: "off"}.get(value, "unknown")  # type: ignore[arg-type]


def _system_line(facts: Facts) -> str:
    system, kernel = facts["system"], facts["kernel"]
    secure_boot = "" if system["secure_boot"] == "unsupported" else f", Secure Boot {system['secure_boot']}"
    return (
        f"{system['distribution']} {system['version']} ({system['machine']}), {facts['place'].replace('_', ' ')}, "
        f"kernel {kernel['running']}{secure_boot}"
    )


def _next_kernel_line(facts: Facts) -> list[str]:
    kernel = facts["kernel"]
    if not kernel["next"] or kernel["next"] == kernel["running"]:
        return []
    return [f"boots next: kernel {kernel['next']}"]


def _card_lines(facts: Facts) -> list[str]:
    by_address = {gpu["address"]: gpu for gpu in facts.get("gpus") or []}
    lines = []
    for card in (function for function in facts["pci"] if function["kind"] == "gpu"):
        gpu = by_address.get(card["address"])
        if gpu:
            lines.append(
                f"{card['address']} {gpu['name']}, {gpu['memory_mib']} MiB, "
                f"compute capability {gpu['compute_capability']}, "
                f"persistence {_on(gpu['persistence_mode'])}"
            )
        else:
            name = card["name"] or f"10de:{card['device']}"
            lines.append(f"{card['address']} {name} ({card['architecture']}), kernel driver {card['driver'] or 'none'}")
    return lines or ["no NVIDIA GPU on the PCI bus"]


def _driver_line(facts: Facts) -> str:
    driver = facts["driver"]
    loaded, library, install = driver["loaded"], driver["library"], driver["install"]
    kernel_side = f"{loaded['version']} ({loaded['flavour']} modules)" if loaded else "not loaded"
    user_side = library["version"] if library else "none"
    held = [package for package in install["packages"] if package["held"]]
    holds = f", {len(held)} of {len(install['packages'])} packages held" if install["packages"] else ""
    grid = ", a vGPU guest's (GRID)" if (facts.get("grid") or {}).get("installed") else ""
    return f"driver {kernel_side}, libraries {user_side}, installed by {install['method']}{holds}{grid}"


def _dkms_lines(facts: Facts) -> list[str]:
    return [
        f"dkms {row['module']}/{row['version']}, kernel {row['kernel']}: {row['state']}"
        for row in facts["driver"]["dkms"]
    ]


def _persistence_line(facts: Facts) -> list[str]:
    persistence = facts.get("persistence")
    return [f"persistence by {persistence['mode']}"] if persistence else []


def _toolkit_line(facts: Facts) -> list[str]:
    cuda = facts.get("cuda") or {}
    rows = [
        f"{row['version'] or row['release']} in {row['path']} ({row['source']})" for row in cuda.get("toolkits") or []
    ]
    default = cuda.get("default")
    means = f"; {default['path']} is what /usr/local/cuda means" if default and len(rows) > 1 else ""
    return [f"CUDA {', '.join(rows)}{means}"] if rows else []


def _nccl_line(facts: Facts) -> list[str]:
    nccl = facts.get("nccl") or {}
    default = nccl.get("default")
    if default:
        return [f"NCCL {default['version'] or 'of unknown version'}, {default['path']}"]
    return ["NCCL is on the disk, but the linker does not find it"] if nccl.get("libraries") else []


def summary(facts: Facts) -> list[str]:
    """Lines for a terminal: system, cards, driver, DKMS, persistence, CUDA, NCCL, and the verdict with its reasons.

    :param facts: ``ansible_facts['nvidia']`` as gpu_facts gives it, all subsets gathered
    """
    coherence = facts["coherence"]
    return [
        _system_line(facts),
        *_next_kernel_line(facts),
        *_card_lines(facts),
        _driver_line(facts),
        *_dkms_lines(facts),
        *_persistence_line(facts),
        *_toolkit_line(facts),
        *_nccl_line(facts),
        f"verdict: {coherence['verdict']}",
        *(f"  {reason}" for reason in coherence["reasons"]),
        *(f"not read: {part['source']}: {part['reason']}" for part in facts.get("partial") or []),
    ]
