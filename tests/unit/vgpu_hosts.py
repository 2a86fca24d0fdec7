"""Virtual machines with a vGPU as the facts show them, for the tests of role vgpu_guest's plan."""

from __future__ import annotations

import copy
from typing import Any

SHA = "a" * 64
DEB = {"src": "/srv/nvidia-linux-grid-535_535.261.03_amd64.deb", "sha256": SHA}
RUNFILE = {"path": "/mnt/Shared/nv/NVIDIA-Linux-x86_64-535.261.03-grid.run", "sha256": SHA}
TOKEN = {"src": "token.tok"}

GPU: dict[str, Any] = {
    "address": "0000:02:01.0",
    "uuid": "GPU-1",
    "product": "GRID P40-8Q",
    "virtualization_mode": "vgpu",
    "profile": {"name": "P40-8Q", "series": "Q", "framebuffer_gb": 8},
    "license": {"state": "licensed", "product": "NVIDIA RTX Virtual Workstation", "expires": "2026-11-22T11:09:50Z"},
}
FACTS: dict[str, Any] = {
    "place": "vgpu_guest",
    "system": {"distribution": "debian", "version": "12", "package_manager": "apt", "secure_boot": "unsupported"},
    "kernel": {"running": "6.1.0-56-amd64", "installed": [{"release": "6.1.0-56-amd64", "image": True}]},
    "pci": [{"kind": "gpu", "address": "0000:02:01.0", "device": "1b38"}],
    "driver": {
        "loaded": {"version": "535.261.03", "flavour": "proprietary"},
        "on_disk": {"6.1.0-56-amd64": {"version": "535.261.03", "flavour": "proprietary"}},
        "library": {"version": "535.261.03"},
        "install": {"method": "none", "packages": [], "runfile": None},
    },
    "grid": {
        "installed": True,
        "gridd": "/usr/bin/nvidia-gridd",
        "package": {"name": "nvidia-linux-grid-535", "version": "535.261.03", "held": True},
        "protected_by": ["hold"],
    },
    "gridd": {
        "conf": {"path": "/etc/nvidia/gridd.conf", "values": {"FeatureType": "1"}, "legacy": [], "errors": []},
        "tokens": [{"path": "/etc/nvidia/ClientConfigToken/a.tok", "valid": True, "expired": False}],
        "service": {"present": True, "enabled": True, "active": True},
        "clock": {"source": "chrony", "synchronized": True},
        "gpus": [GPU],
        "state": "licensed",
        "cause": None,
        "restart_pending": False,
    },
}
FRESH: dict[str, Any] = {
    "place": "passthrough",
    "driver": {"loaded": None, "on_disk": {}, "library": None, "install": {"packages": [], "runfile": None}},
    "grid": {"installed": False, "gridd": None, "package": None, "protected_by": []},
    "gridd": {
        "conf": {"path": "/etc/nvidia/gridd.conf", "values": {}},
        "tokens": [],
        "service": {"present": False},
        "clock": {"source": None, "synchronized": None},
        "gpus": [],
        "state": "not_applicable",
    },
}


def host(**changes: Any) -> dict[str, Any]:
    """A licensed guest; ``changes`` replace parts of the facts; dictionaries are laid over what is there."""
    facts = copy.deepcopy(FACTS)
    for name, value in changes.items():
        facts[name] = {**facts[name], **value} if isinstance(value, dict) else value
    return facts


def fresh(**changes: Any) -> dict[str, Any]:
    """A virtual machine on which nothing has been done."""
    return {**copy.deepcopy(FACTS), **copy.deepcopy(FRESH), **changes}


def gpu(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(GPU), **changes}


def profile(name: str, series: str, size: float) -> dict[str, Any]:
    return gpu(product=f"GRID {name}", profile={"name": name, "series": series, "framebuffer_gb": size})


def codes(plan: dict[str, Any], severity: str | None = None) -> list[str]:
    return [row["code"] for row in plan["findings"] if severity in (None, row["severity"])]
