# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The licence of each GPU: from NVML, else from the words of nvidia-smi -q; and the state of the whole host."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_profile import profile
from ansible_collections.gpufleet.nvidia.plugins.module_utils._gridd_time import iso, parse, seconds_of

# The numbers are nvml.h's; the constants of nvidia-ml-py are tuples by mistake.
EXPIRY_VALID, EXPIRY_PERMANENT = 2, 4
WORST_FIRST = ("unlicensed_restricted", "unlicensed", "unknown", "unlicensed_unrestricted", "licensed")
MODES = {"pass-through": "passthrough", "vgpu": "vgpu", "host vgpu": "host_vgpu", "none": "none"}
BLOCKS = ("vGPU Software Licensed Product", "GRID Licensed Product")  # the second: before vGPU 11
STATUS = re.compile(r"(Licensed|Unlicensed|N/A)(?:\s+\(([^)]*)\))?")


def make(state, source, now, product=None, expires=None, permanent=False):
    """The shape of a licence; an expired one is not a licence, whatever the driver still says."""
    if state == "licensed" and expires is not None and expires <= now:
        state = "expired"
    return {
        "state": state,
        "product": product or None,
        "expires": iso(expires),
        "remaining_s": None if expires is None else int(expires - now),
        "permanent": permanent,
        "source": source,
    }


def from_nvml(licensing, mode, now):
    """The licence in NVML's answer; None where the GPU needs none.

    :param licensing: what the probe gave, None where NVML cannot tell
    """
    features = (licensing or {}).get("features") or []
    if licensing is None or not licensing.get("supported") or not features:
        return make("unknown", "nvml", now) if mode == "vgpu" else None
    chosen = max(features, key=lambda feature: (bool(feature.get("state")), bool(feature.get("enabled"))))
    if not chosen.get("state"):
        return make("unlicensed", "nvml", now, chosen.get("product"))
    expiry = chosen.get("expiry") or {}
    ends = seconds_of(expiry.get("at")) if expiry.get("status") == EXPIRY_VALID else None
    return make("licensed", "nvml", now, chosen.get("product"), ends, expiry.get("status") == EXPIRY_PERMANENT)


def parse_status(text, now, product=None):
    """The licence in the words of ``License Status``, such as ``Licensed (Expiry: 2024-2-1 2:36:3 GMT)``."""
    found = STATUS.fullmatch(text.strip())
    if not found or found[1] == "N/A":
        return make("unknown", "smi", now, product)
    told = found[2] or ""
    if found[1] == "Unlicensed":
        kind = f"unlicensed_{told.strip().lower()}"
        return make(kind if kind in WORST_FIRST else "unlicensed", "smi", now, product)
    return make("licensed", "smi", now, product, parse(told), "Permanent" in told)


def parse_smi(text, now):
    """The GPUs of ``nvidia-smi -q`` as the facts have them."""
    gpus, block = [], ""
    for raw in (text or "").splitlines():
        key, colon, value = (part.strip() for part in raw.partition(" : "))
        begin = re.match(r"GPU ([0-9A-Fa-f]{8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-9A-Fa-f])\s*$", raw)
        if begin:
            gpus.append(_gpu(begin[1].lower()[-12:], None, None, None, None))
        elif gpus:
            block = block if colon else key
            _take(gpus[-1], block, key, value, now)
    for gpu in gpus:
        mode = gpu["virtualization_mode"]
        gpu["profile"] = profile(gpu["product"]) if mode in ("vgpu", None) else None
        product = gpu.pop("license_product", None)
        if gpu["license"] is None and mode == "vgpu":
            gpu["license"] = make("unknown", "smi", now, product)
    return gpus


def _take(gpu, block, key, value, now):
    if key == "Product Name" and gpu["product"] is None:
        gpu["product"] = value
    elif key == "GPU UUID":
        gpu["uuid"] = value
    elif key.lower() == "virtualization mode":  # old branches write a small m
        gpu["virtualization_mode"] = MODES.get(value.lower())
    elif block in BLOCKS and key == "Product Name":
        gpu["license_product"] = value
    elif block in BLOCKS and key == "License Status":
        gpu["license"] = parse_status(value, now, gpu.get("license_product"))


def _gpu(address, uuid, product, mode, licence):
    return {
        "address": address,
        "uuid": uuid,
        "product": product,
        "virtualization_mode": mode,
        "profile": profile(product) if mode in ("vgpu", None) else None,
        "license": licence,
    }


def from_rows(rows, now):
    """The GPUs of NVML's rows, as the facts have them."""
    return [
        _gpu(
            row.get("address"),
            row.get("uuid"),
            row.get("name"),
            row.get("virtualization_mode"),
            from_nvml(row.get("licensing"), row.get("virtualization_mode"), now),
        )
        for row in rows
    ]


def must_ask_smi(rows, gpus):
    """Whether nvidia-smi knows more: where NVML says nothing, or a GPU is unlicensed and only words tell how badly."""
    silent = not rows or any(row.get("licensing") is None for row in rows)
    return silent or any((gpu["license"] or {}).get("state") in ("unlicensed", "unknown") for gpu in gpus)


def merged(gpus, smi):
    """NVML's GPUs with what nvidia-smi knows better; nvidia-smi's alone where NVML gave none."""
    if not gpus:
        return smi
    said = {gpu["address"]: gpu["license"] for gpu in smi}
    return [{**gpu, "license": _better(gpu["license"], said.get(gpu["address"]))} for gpu in gpus]


def _better(nvml, smi):
    if smi is None or (nvml and nvml["state"] not in ("unlicensed", "unknown")):
        return nvml
    if nvml is None or nvml["state"] == "unknown":
        return smi
    return {**nvml, "state": smi["state"], "source": "smi"} if smi["state"].startswith("unlicensed_") else nvml


def overall(gpus, certain=True):
    """The worst state of all GPUs that need a licence; not_applicable where none does.

    :param certain: False where the GPUs could not be asked, so that none says nothing
    """
    states = [gpu["license"]["state"] for gpu in gpus if gpu["license"]]
    states = ["unlicensed" if state == "expired" else state for state in states]
    if not states:
        return "not_applicable" if certain else "unknown"
    return next(state for state in WORST_FIRST if state in states)
