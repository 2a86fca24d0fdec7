# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which licensed feature fits which GPU: a virtual GPU's series decides, a passed-through GPU has to be told."""

from __future__ import annotations

NAMES = {0: "unlicensed", 1: "NVIDIA vGPU", 2: "RTX Virtual Workstation", 4: "Virtual Compute Server"}
# What a profile's series may be licensed as. There gridd.conf only gives a hint, but one that contradicts is an error.
SERIES = {"Q": (1, 2), "C": (1, 4), "B": (1, 2), "A": (1,)}


def misfit(feature_type, virtualization_mode, series):
    """A sentence on a FeatureType that does not fit the GPU; None where it does, or where nothing is known.

    :param feature_type: number, or None where the key is not set
    :param virtualization_mode: NVML's, such as ``vgpu`` or ``passthrough``; :param series: A, B, C, Q or None
    """
    if virtualization_mode == "vgpu":
        fitting = SERIES.get(series)
        if feature_type is None or fitting is None or feature_type in fitting:
            return None
        if feature_type == 0:
            return (
                "FeatureType=0 (unlicensed) on a virtual GPU: it never gets a licence and slows down after 20 minutes. "
                "Set 1 (vgpu), or remove the key."
            )
        return (
            f"FeatureType={feature_type} ({NAMES.get(feature_type, 'reserved')}) does not fit a virtual GPU of series "
            f"{series}: its profile decides what is licensed. Set 1 (vgpu)."
        )
    if virtualization_mode == "passthrough" and feature_type in (None, 1):
        told = "is not set" if feature_type is None else "is 1 (vgpu)"
        return (
            f"FeatureType {told}, and the GPU is passed through: there no profile tells what to license. Set 2 (vws), "
            "4 (vcs) or 0 (unlicensed, for virtual applications)."
        )
    return None
