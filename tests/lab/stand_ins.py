"""Puts the simulator of graphics cards into a host's tree."""

from __future__ import annotations

from pathlib import Path


def install(root: Path, release: str, profile: str, loaded: str | None) -> None:
    """TODO"""
