"""Facts of a Debian 12 host after the role, and changes to them."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.golden.hosts import host, module, package

OLD, NEW = "6.1.0-41-amd64", "6.1.0-42-amd64"
VERSION = "535.261.03"


def converged(*cards: str, **changes: Any) -> dict[str, Any]:
    """Facts of a Debian 12 host as the role leaves it, P40 unless told, the module loaded."""
    facts = host("debian-12", *(cards or ["p40"]))
    names = ["nvidia-kernel-dkms", "nvidia-smi", "libcuda1", "libnvidia-ml1", "libnvidia-cfg1", "nvidia-kernel-support"]
    facts["driver"] = {
        "loaded": {"version": VERSION, "flavour": "proprietary", "taints": "POE", "modules": ["nvidia"]},
        "on_disk": {OLD: module(VERSION, "proprietary", "nvidia-current")},
        "dkms": [
            {"module": "nvidia-current", "version": VERSION, "kernel": OLD, "machine": "x86_64", "state": "installed"}
        ],
        "library": {"version": VERSION, "path": f"/usr/lib/libnvidia-ml.so.{VERSION}"},
        "install": {
            "method": "packages",
            "packages": [
                *(package(name, f"{VERSION}-1") for name in names),
                package("nvidia-modprobe", "535.161.07-1", held=False),
            ],
            "runfile": None,
        },
    }
    facts["nouveau"] = {"loaded": [], "bound": [], "blacklisted": True}
    facts["nvml"] = {"available": True, "reason": None}
    facts["gpus"] = [{"index": index, "persistence_mode": True} for index, _card in enumerate(facts["pci"])]
    return change(facts, changes)


def change(facts: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """*facts* with values set at dotted paths."""
    facts = copy.deepcopy(facts)
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = facts
        for key in parents:
            place = place[key]
        place[last] = value
    return facts


LOADED_OLD = {"version": "535.183.01", "flavour": "proprietary", "taints": "", "modules": ["nvidia"]}
LOADED_OPEN = {"version": VERSION, "flavour": "open", "taints": "", "modules": ["nvidia"]}
