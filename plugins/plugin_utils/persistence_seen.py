# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's facts say of its persistence daemon, put the way that the plan asks."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import persistence_unit as unit_files

UNIT_WITHOUT_BOOT = ("static", "indirect", "generated", "transient")


class Seen(NamedTuple):
    """The unit on a host, or the one that its package will bring.

    ``kind``: present | masked | expected (the package will bring it) | absent. ``packaged`` is the command line below our drop-in,
    ``effective`` the one in force. ``boot``: how it starts at boot: enabled | disabled (a switch of its own) | static (none).
    """

    kind: str
    packaged: str = ""
    effective: str = ""
    boot: str = "static"
    ours: bool = False
    switchable: bool | None = None
    drop_in: str | None = None
    has_drop_in: bool = False
    active: bool = False
    failed: bool = False


def see(facts: dict[str, Any], unit: str) -> Seen:
    """The unit as it is now; kind is present, masked or absent."""
    found = (facts.get("persistence") or {}).get("unit")
    if not found or found.get("load_state") == "not-found":
        return Seen("absent")
    if found.get("load_state") == "masked" or str(found.get("unit_file_state") or "").startswith("masked"):
        return Seen("masked", active=found.get("active_state") == "active")
    path, ours = found.get("path"), unit_files.drop_in_path(unit)
    drop_ins, texts = list(found.get("drop_ins") or []), found.get("texts") or {}
    effective = str(found.get("exec_start") or "")
    below = [texts[name] for name in (path, *drop_ins) if name != ours and name in texts]
    return Seen(
        "present",
        packaged=unit_files.command_of(below) or effective,
        effective=effective,
        boot=_boot(str(found.get("unit_file_state") or "")),
        ours=path == f"{unit_files.FOLDER}/{unit}" and str(texts.get(path, "")).startswith(unit_files.MARK),
        switchable=unit_files.has_install_section(texts[path]) if path in texts else None,
        drop_in=texts.get(ours),
        has_drop_in=ours in drop_ins,
        active=found.get("active_state") in ("active", "activating", "reloading"),
        failed=found.get("active_state") == "failed" or found.get("result") not in (None, "", "success"),
    )


def expect(packaged: dict[str, Any]) -> Seen:
    """The unit that the distribution's package will bring, from ``{exec_start, unit_file_state}``; absent when unknown."""
    if not packaged.get("exec_start"):
        return Seen("absent")
    command = str(packaged["exec_start"])
    return Seen("expected", packaged=command, effective=command, boot=_boot(str(packaged["unit_file_state"])))


def _boot(unit_file_state: str) -> str:
    if unit_file_state in UNIT_WITHOUT_BOOT:
        return "static"
    return "enabled" if unit_file_state in ("enabled", "alias") else "disabled"


def own_gpus(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The GPUs that the host itself uses: not those that it gives to guests."""
    return [row for row in facts.get("pci") or [] if row.get("kind") == "gpu" and row.get("driver") != "vfio-pci"]


def gpus_off(facts: dict[str, Any]) -> list[str]:
    """Indexes of the GPUs whose persistence mode NVML says is off."""
    return [str(row.get("index")) for row in facts.get("gpus") or [] if row.get("persistence_mode") is False]


def has_driver(facts: dict[str, Any]) -> bool:
    """Whether there is a driver in any form: loaded, built for a kernel, or as packages."""
    driver = facts.get("driver") or {}
    return bool(
        driver.get("loaded")
        or any((driver.get("on_disk") or {}).values())
        or driver.get("library")
        or (driver.get("install") or {}).get("method") not in (None, "none")
    )


def is_loaded(facts: dict[str, Any]) -> bool:
    return bool((facts.get("driver") or {}).get("loaded"))


def branch(facts: dict[str, Any]) -> int | None:
    """The driver branch of the libraries, or of the module."""
    driver = facts.get("driver") or {}
    version = (driver.get("library") or driver.get("loaded") or {}).get("version")
    return int(str(version).split(".", maxsplit=1)[0]) if version else None


def reason_to_skip(facts: dict[str, Any]) -> str | None:
    """A sentence when there is nothing to do for this role on such a host."""
    system = facts.get("system") or {}
    reachable = (facts.get("nvml") or {}).get("available") and system.get("service_manager") == "systemd"
    if facts.get("place") == "container" and not reachable:
        kind = system.get("container") or "container"
        return f"This is a container ({kind}) that does not manage GPUs; persistence is set on the machine that runs it."
    if not own_gpus(facts) and not facts.get("gpus"):
        if any(row.get("kind") == "gpu" for row in facts.get("pci") or []):
            return "All NVIDIA GPUs of this host are given to guests (vfio-pci); persistence is set in the guests."
        return "No NVIDIA GPU is on this host's PCI bus; there is nothing to keep initialised."
    return None
