"""Profiles: which graphics cards a host is simulated to have."""

from __future__ import annotations

from tests.lab.places import PROFILES


def names() -> list[str]:
    return sorted([path.stem for path in PROFILES.glob("*.yml")] or ["p40-gtx750ti", "none"])
