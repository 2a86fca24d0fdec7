# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For which kernels the modules are built."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, warning

KEYWORDS = ("running", "next", "installed")


def kernel_is_ours(facts: dict[str, Any]) -> bool:
    """Whether the running kernel is one of this host's own; in a container it is another machine's."""
    kernel = facts.get("kernel") or {}
    return any(row["release"] == kernel.get("running") and row.get("image") for row in kernel.get("installed") or [])


def target_kernels(facts: dict[str, Any], wanted: list[str]) -> tuple[list[str], list[dict[str, str]]]:
    """The releases that *wanted* means, each once, and what stands in the way.

    :param wanted: releases, or ``running``, ``next`` (boots next), ``installed`` (all with an image)
    """
    kernel = facts.get("kernel") or {}
    images = [row["release"] for row in kernel.get("installed") or [] if row.get("image")]
    kernels: list[str] = []
    findings: list[dict[str, str]] = []
    for word in wanted:
        releases, found = _resolve(str(word), kernel, images)
        kernels += releases
        findings += found
    if not wanted:
        findings.append(
            error(
                "kernels_empty", "nvidia_driver_kernels is empty: name a kernel release, or running, next, installed."
            )
        )
    return list(dict.fromkeys(kernels)), findings


def _resolve(word: str, kernel: dict[str, Any], images: list[str]) -> tuple[list[str], list[dict[str, str]]]:
    choices = f"kernels with an image on this host: {listed(images)}"
    if word == "installed" and images:
        return list(images), []
    if word in ("running", "next") and kernel.get(word) in images:
        return [kernel[word]], []
    if word in KEYWORDS and not images:
        text = (
            "No kernel image is installed on this host (a container, or an image build), so nvidia_driver_kernels:"
            f" [{word}] means nothing. Install a kernel first, or name the release to build for."
        )
        return [], [error("kernel_none_installed", text)]
    if word == "running":
        text = (
            f"The running kernel {kernel.get('running')} has no image on this host (a container, or a removed package),"
            f" so no modules can be built to boot with it; {choices}. Set nvidia_driver_kernels to one of them, to next"
            " or to installed."
        )
        return [], [error("kernel_running_not_installed", text)]
    if word == "next":
        text = f"Which kernel boots next could not be read; {choices}. Name it in nvidia_driver_kernels."
        return [], [error("kernel_next_unknown", text)]
    if word in images:
        return [word], []
    return [word], [
        warning(
            "kernel_without_image",
            f"nvidia_driver_kernels names {word}, which has no image on this host: the modules are built if the archive"
            f" has its headers, but nothing here can boot it yet; {choices}.",
        )
    ]


def next_kernel_findings(facts: dict[str, Any], kernels: list[str]) -> list[dict[str, str]]:
    """A warning when another kernel boots next than those that get modules."""
    kernel = facts.get("kernel") or {}
    following, installed = kernel.get("next"), kernel.get("installed") or []
    bootable = any(row["release"] == following and row.get("image") for row in installed)
    if not kernels or not bootable or following in kernels:
        return []
    return [
        warning(
            "kernel_next_uncovered",
            f"Kernel {following} boots next on this host and is not among the kernels that get modules"
            f" ({listed(kernels)}): after a reboot no driver would work. Set nvidia_driver_kernels: [running, next].",
        )
    ]
