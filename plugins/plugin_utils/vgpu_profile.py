# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a virtual GPU's profile lets a guest do, and what has to be configured for a card that is passed through."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_conf import FEATURES
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_feature import misfit
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, warning

Findings = list[dict[str, str]]
LICENSING = "NVIDIA virtual GPU client licensing guide; vGPU software product comparison"
# Boards with two or four small GPUs, whose Q profiles run CUDA at the full size of a GPU alone.
SMALL = re.compile(r"(GRID |Tesla |NVIDIA )?M(6|10|60)-")
SMALL_FULL_GB = 8


def feature_number(value: Any) -> int | None:
    """``vws`` or ``2`` → 2; None where nothing is asked for, or what is asked for is no feature."""
    text = str(value)
    if value is None:
        return None
    return FEATURES.get(text, int(text) if text.isdigit() and int(text) in FEATURES.values() else None)


def cuda_refusal(profile: dict[str, Any]) -> str | None:
    """Why this profile cannot run CUDA, as the end of a sentence; None: it can."""
    if profile["series"] in ("A", "B"):
        meant = "applications" if profile["series"] == "A" else "desktops"
        return f"is of series {profile['series']}, for virtual {meant}, which cannot run CUDA"
    size = profile.get("framebuffer_gb")
    if profile["series"] == "Q" and SMALL.match(profile["name"]) and size is not None and size < SMALL_FULL_GB:
        return f"is smaller than the whole GPU ({SMALL_FULL_GB}Q), and on this board only that runs CUDA"
    return None


def profile_findings(gpus: list[dict[str, Any]], purpose: str) -> Findings:
    """:param gpus: the fact ``gridd.gpus``"""
    found: Findings = []
    for gpu in gpus:
        profile = gpu.get("profile")
        if not profile:
            continue
        reason = cuda_refusal(profile)
        if purpose == "compute" and reason:
            text = (
                f"{gpu['product']} at {gpu['address']} {reason}, and vgpu_guest_purpose is compute. Give the virtual"
                " machine a profile of series C or Q on its host, or set vgpu_guest_purpose: graphics."
            )
            found.append(error("profile_without_cuda", text, LICENSING))
        elif purpose == "graphics" and profile["series"] == "C":
            text = (
                f"{gpu['product']} at {gpu['address']} is of series C, for computing: it has no display, and"
                " vgpu_guest_purpose is graphics. Give the virtual machine a profile of series Q or B."
            )
            found.append(warning("profile_without_display", text, LICENSING))
    return found


def feature_findings(gpus: list[dict[str, Any]], wanted: Any, there: Any) -> Findings:
    """:param wanted: vgpu_guest_feature_type; :param there: the value that gridd.conf has, None: none"""
    if wanted is not None and feature_number(wanted) is None:
        words = ", ".join([*FEATURES, *(str(number) for number in FEATURES.values())])
        return [error("feature_unknown", f"vgpu_guest_feature_type is {wanted}: it is one of {words}.")]
    number = feature_number(wanted if wanted is not None else there)
    found: Findings = []
    for gpu in gpus:
        series = (gpu.get("profile") or {}).get("series")
        needs_licence = gpu.get("virtualization_mode") == "vgpu" or gpu.get("license") is not None
        sentence = misfit(number, gpu.get("virtualization_mode"), series) if needs_licence else None
        if sentence:
            found.append(error("feature_misfit", f"{gpu['product']} at {gpu['address']}: {sentence}", LICENSING))
    return found
