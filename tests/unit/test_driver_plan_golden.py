"""The exact plan per distribution, GPU generation and flavour, word for word, in golden/*.yml.

After a wanted change: `UPDATE_GOLDEN=1 pytest tests/unit/test_driver_plan_golden.py`, then read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_plan import driver_plan
from tests.unit.golden.hosts import PLATFORMS, driver, host, package

GOLDEN = Path(__file__).parent / "golden"
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"
MIRROR = "https://packages.example.org/nvidia"
KEY = {"url": "https://packages.example.org/key.asc", "fingerprint": "0123456789ABCDEF0123456789ABCDEF01234567"}
RUNFILE = {"src": "/srv/NVIDIA-Linux-x86_64-580.105.08.run", "sha256": "0" * 64}
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----"
SIGNING = {"signing_key": "/var/lib/dkms/mok.key", "signing_certificate": "/var/lib/dkms/mok.pub"}
CASES = {
    "kepler": (["k80"], {}),
    "p40-gtx750ti": (["p40", "gtx750ti"], {}),
    "p4": (["p4"], {}),
    "volta": (["v100"], {}),
    "t4": (["t4"], {}),
    "a100": (["a100"], {}),
    "a100-proprietary": (["a100"], {"flavour": "proprietary"}),
    "a6000x2": (["a6000", "a6000"], {}),
    "a6000-graphics": (["a6000"], {"graphics_enabled": True}),
    "t4-p40": (["t4", "p40"], {}),
    "h200x8": (["h200"] * 8, {}),
    "gh200": (["gh200"], {}),
    "b200": (["b200"], {}),
    "no-hold": (["a100"], {"hold_enabled": False, "unattended_upgrades_enabled": True, "nvml_enabled": False}),
    "parameters": (
        ["a100"],
        {"module_parameters": {"NVreg_TemporaryFilePath": "/var/tmp", "NVreg_EnableGpuFirmware": True}},
    ),
    "branch-535": (["a100"], {"branch": 535}),
    "branch-580": (["a100"], {"branch": 580}),
    "version": (["a100"], {"version": "580.105.08"}),
    "version-535": (["p4"], {"version": "535.216.03"}),
    "image-build": ([], {"gpu_required": False}),
    "secure-boot": (["a100"], {}),
    "secure-boot-site-key": (["a100"], {"mok_certificate": CERTIFICATE}),
    "repository-p40": (["p40"], {"method": "repository"}),
    "repository-t4": (["t4"], {"method": "repository"}),
    "repository-a100": (["a100"], {"method": "repository"}),
    "repository-b200": (["b200"], {"method": "repository"}),
    "repository-graphics": (["a6000"], {"method": "repository", "graphics_enabled": True}),
    "repository-595": (["h200"] * 8, {"method": "repository", "branch": 595}),
    "repository-version": (["a100"], {"method": "repository", "version": "580.105.08", "flavour": "proprietary"}),
    "repository-key": (["a100"], {"method": "repository", "repository_url": MIRROR, "repository_key": KEY}),
    "runfile-p40": (["p40", "gtx750ti"], {"method": "runfile", "runfile": RUNFILE}),
    "runfile-a100": (["a100"], {"method": "runfile", "runfile": RUNFILE, "dkms_enabled": False, **SIGNING}),
    "absent": (["a100"], {"state": "absent"}),
    "absent-fresh": (["a100"], {"state": "absent", "nvml_enabled": False}),
}


def _plans(platform):
    plans: dict[str, Any] = {}
    for case, (cards, wants) in CASES.items():
        facts = host(platform, *cards)
        if case.startswith("secure-boot"):
            facts["system"]["secure_boot"] = "enabled"
        if case == "absent":
            names = plans["a100"]["packages"]
            facts["driver"] = driver(packages=[package(name, "1") for name in names])
        plans[case] = driver_plan(facts, wants)
    return plans


class _Dumper(yaml.SafeDumper):
    """Texts as blocks, lists of words on one line, and what is there twice by reference."""


def _text(dumper, value):
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


def _list(dumper, values):
    words = all(isinstance(value, str) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=words)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def _shared(value, seen):
    """The same value, with equal lists and dictionaries as one object, so that YAML writes them once."""
    if isinstance(value, dict):
        value = {key: _shared(item, seen) for key, item in value.items()}
    elif isinstance(value, list):
        value = [_shared(item, seen) for item in value]
    else:
        return value
    return seen.setdefault(repr(value), value) if value else value


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_plan_is_the_golden_one(platform):
    path, plans = GOLDEN / f"{platform}.yml", _plans(platform)
    if UPDATE:
        path.write_text(
            "---\n" + yaml.dump(_shared(plans, {}), Dumper=_Dumper, sort_keys=False, width=160), encoding="utf-8"
        )
    golden = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert plans == golden


def test_every_golden_file_belongs_to_a_platform():
    assert {path.stem for path in GOLDEN.glob("*.yml")} == set(PLATFORMS)
