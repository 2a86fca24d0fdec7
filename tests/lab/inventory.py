"""Reads which hosts of an inventory the lab is to make: those that have the variable lab_release."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.lab.console import LabError, run
from tests.lab.places import KINDS
from tests.lab.record import Wanted

DEFAULT_PROFILE = "p40-gtx750ti"


def default_profile(kind: str) -> str:
    """Gives the cards of a host that names none; a machine can have no others."""
    return DEFAULT_PROFILE if kind == KINDS[0] else "none"


def program(name: str) -> str:
    """Prefers the program that belongs to the Python that runs this."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


def parse(text: str) -> list[Wanted]:
    """Reads ``ansible-inventory --list`` into the lab's hosts, by name."""
    variables: dict[str, dict[str, Any]] = json.loads(text).get("_meta", {}).get("hostvars", {})
    hosts = []
    for name, own in sorted(variables.items()):
        if "lab_release" not in own:
            continue
        if not own.get("ansible_host"):
            raise LabError(
                f"{name} has lab_release but no ansible_host; give it an address in 127.0.0.0/8, as 127.0.10.1."
            )
        loaded = own.get("lab_loaded")
        kind = str(own.get("lab_kind") or KINDS[0])
        profile = str(own.get("lab_profile") or default_profile(kind))
        kernel = str(own.get("lab_kernel") or "buildable")
        version = str(loaded) if loaded else None
        release, address = str(own["lab_release"]), str(own["ansible_host"])
        hosts.append(Wanted(name, release, profile, version, address, kernel, kind))
    return hosts


def hosts(path: str, limit: str | None) -> list[Wanted]:
    if not Path(path).exists():
        raise LabError(f"There is no inventory at {path}.")
    argv = [program("ansible-inventory"), "-i", path, "--list"]
    # A warning about an inventory's shape must not end up in what is parsed.
    environment = {"ANSIBLE_DEPRECATION_WARNINGS": "0", "HOME": os.environ.get("HOME", "/root")}
    found = parse(run([*argv, *(["--limit", limit] if limit else [])], env=environment))
    if not found:
        raise LabError(f"No host of {path}{f' that matches {limit}' if limit else ''} has the variable lab_release.")
    return found
