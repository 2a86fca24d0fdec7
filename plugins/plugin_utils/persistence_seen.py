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

    ``kind``: present | masked | expected (its package will bring it) | absent. ``packaged`` is the command line without
    our drop-in, ``effective`` the one in force. ``boot``: enabled | disabled | static (the unit cannot be enabled).
    ``ours``: the unit file is of our own writing. ``installable``: it has an [Install] section.
    """

    kind: str
    path: str | None = None
    packaged: str = ""
    effective: str = ""
    boot: str = "static"
    ours: bool = False
    installable: bool = False
    text: str | None = None
    drop_in: str | None = None
    active: bool = False
    failed: bool = False


def see(facts: dict[str, Any], unit: str) -> Seen:
    """The unit as it is now; kind is present, masked or absent."""
    found = (facts.get("persistence") or {}).get("unit")
    if not found or found.get("load_state") == "not-found":
        return Seen("absent")
    active = found.get("active_state") in ("active", "activating", "reloading")
    if found.get("load_state") == "masked" or str(found.get("unit_file_state") or "").startswith("masked"):
        return Seen("masked", active=active)
    path, ours, texts = found.get("path"), unit_files.drop_in_path(unit), found.get("texts") or {}
    effective, text = str(found.get("exec_start") or ""), str(texts.get(path) or "")
    below = [str(texts.get(name) or "") for name in (path, *(found.get("drop_ins") or [])) if name != ours]
    return Seen(
        "present",
        path=path,
        packaged=unit_files.command_of(below) or effective,
        effective=effective,
        boot=_boot(str(found.get("unit_file_state") or "")),
        ours=path == f"{unit_files.FOLDER}/{unit}" and text.startswith(unit_files.MARK),
        installable=unit_files.has_install_section(text),
        text=text,
        drop_in=texts.get(ours),
        active=active,
        failed=found.get("active_state") == "failed" or found.get("result") not in (None, "", "success"),
    )


def expect(packaged: dict[str, Any]) -> Seen:
    """The unit that its package will bring, from ``{exec_start, unit_file_state}``; absent when that is not known."""
    if not packaged.get("exec_start"):
        return Seen("absent")
    command = str(packaged["exec_start"])
    path = packaged.get("path")
    return Seen("expected", path, packaged=command, effective=command, boot=_boot(str(packaged["unit_file_state"])))


def _boot(unit_file_state: str) -> str:
    if unit_file_state in UNIT_WITHOUT_BOOT:
        return "static"
    return "enabled" if unit_file_state in ("enabled", "alias") else "disabled"


def daemon(facts: dict[str, Any]) -> str | None:
    """Path of the daemon's program, if it is there."""
    return (facts.get("persistence") or {}).get("daemon")


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
        return f"This is a container ({kind}) without GPUs of its own; persistence is set on the machine that runs it."
    if not own_gpus(facts) and not facts.get("gpus"):
        if any(row.get("kind") == "gpu" for row in facts.get("pci") or []):
            return "All NVIDIA GPUs of this host are given to guests (vfio-pci); persistence is set in the guests."
        return "No NVIDIA GPU is on this host's PCI bus; there is nothing to keep initialised."
    return None
