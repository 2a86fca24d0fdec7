# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vGPU manager of a host: which file it comes in, whether it is there, and what it may not be laid over."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_runfile import installed_packages
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_driver import (
    DIGEST,
    ENDINGS,
    MANAGERS,
    WAYS,
    file_of,
    method_of,
)

Findings = list[dict[str, str]]
PACKAGES = "nvidia-vgpu-*"
OF_PACKAGES = ("deb", "rpm")


def way_of(file: dict[str, Any] | None, asked: str) -> str | None:
    """deb, rpm, runfile, none, or None where the file is none of them.

    :param asked: the variable vgpu_host_method
    """
    if file is None or asked == "none":
        return "none"
    by_name = method_of(file, "auto")
    if asked == "auto":
        return by_name
    fits = by_name in OF_PACKAGES if asked == "package" else by_name == asked
    return by_name if fits else None


def is_manager(facts: dict[str, Any]) -> bool:
    """Whether the driver that is installed is a vGPU manager."""
    mdev = facts.get("mdev") or {}
    services = mdev.get("services") or {}
    named = any(name.startswith("nvidia-vgpu") for name in installed_packages(facts))
    return named or bool(mdev.get("manager")) or any(row.get("present") for row in services.values())


def manager_version(facts: dict[str, Any]) -> str | None:
    """The version of the vGPU manager that is installed, or None."""
    if not is_manager(facts):
        return None
    driver = facts.get("driver") or {}
    install = driver.get("install") or {}
    packaged = [row["version"] for row in install.get("packages") or [] if row["name"].startswith("nvidia-vgpu")]
    told = [(install.get("runfile") or {}).get("version"), *packaged, (driver.get("loaded") or {}).get("version")]
    found = [re.search(r"\d{3}\.\d{1,3}(?:\.\d{1,3})?", str(text or "")) for text in told]
    return next((match.group() for match in found if match), None)


def loaded_version(facts: dict[str, Any]) -> str | None:
    return ((facts.get("driver") or {}).get("loaded") or {}).get("version")


def manager_findings(facts: dict[str, Any], wants: dict[str, Any], package_manager: str | None) -> Findings:
    """Errors for a file that is not named well, and for another driver that is there."""
    given = wants["driver"]
    if wants["method"] in ("runfile", "package") and not given:
        text = (
            f"vgpu_host_method is {wants['method']}, and vgpu_host_driver does not name a file. NVIDIA gives the vGPU"
            " manager out in its licensing portal alone: name it there (src on the controller, path on the host, or"
            " url) with its sha256, or set vgpu_host_method: none."
        )
        return [error("manager_missing", text)]
    if not given or wants["method"] == "none":
        return []
    return [*_file(file_of(given), given, wants["method"], package_manager), *_others(facts)]


def _file(file: dict[str, Any], given: dict[str, Any], asked: str, package_manager: str | None) -> Findings:
    ways = [key for key in WAYS if given.get(key)]
    if len(ways) != 1:
        text = (
            f"vgpu_host_driver has {listed(ways)} of {listed(list(WAYS))}, and takes one of them: a file on the"
            " controller, one on the host, or an address."
        )
        return [error("manager_source", text)]
    found: Findings = []
    if not DIGEST.fullmatch(file["sha256"]):
        text = (
            f"vgpu_host_driver names {file['name']} without its checksum, and the file is run as root. Set sha256 to"
            " the 64 digits that `sha256sum` prints for a copy that you trust."
        )
        found.append(error("manager_checksum", text))
    way = way_of(file, asked)
    if way is None:
        text = (
            f"vgpu_host_driver names {file['name']}, which is no"
            f" {'.deb, .rpm or .run' if asked == 'auto' else asked} file. Name the vGPU manager's own file (as"
            " NVIDIA-Linux-x86_64-VERSION-vgpu-kvm.run), not the bundle that holds it."
        )
        return [*found, error("manager_kind", text)]
    if "grid" in file["name"].lower() and "vgpu" not in file["name"].lower():
        text = (
            f"{file['name']} is the driver for guests, not the vGPU manager of their host: it makes no virtual GPUs."
            " Take the file with vgpu in its name from the same bundle."
        )
        found.append(error("manager_of_guest", text))
    if file["version"] is None:
        text = (
            f"The version of {file['name']} cannot be told from its name. Set version in vgpu_host_driver, so that a"
            " host that has it already is left alone."
        )
        found.append(error("manager_version_unknown", text))
    if way in MANAGERS and package_manager not in MANAGERS[way]:
        text = (
            f"{file['name']} is a {ENDINGS[way]} file, and this host's package manager is"
            f" {package_manager or 'unknown'}. Take the file for this platform, or NVIDIA's runfile."
        )
        found.append(error("manager_method_unsupported", text))
    return found


def _others(facts: dict[str, Any]) -> Findings:
    """A usual driver, or a guest's, is not replaced by this role: nobody asked for its removal."""
    others = [name for name in installed_packages(facts) if not name.startswith("nvidia-vgpu")]
    runfile = ((facts.get("driver") or {}).get("install") or {}).get("runfile")
    if others:
        text = (
            f"Another driver is installed from packages ({listed(others)}), and a host has the vGPU manager instead of"
            " it. Remove it with role nvidia_driver (nvidia_driver_state: absent), and run this again."
        )
        return [error("other_driver", text)]
    if runfile and not is_manager(facts):
        text = (
            f"Another driver is installed from NVIDIA's runfile ({runfile.get('version') or 'version unknown'}), and no"
            f" vGPU manager. Remove it with {runfile['uninstaller']}, and run this again."
        )
        return [error("other_driver", text)]
    return []


def change_findings(facts: dict[str, Any], plan: dict[str, Any]) -> Findings:
    """What a change of the version means for the virtual GPUs that are there."""
    there, version = plan["installed"], plan["version"]
    if not plan["installs"] or not there or there == version:
        return []
    used = [row for row in (facts.get("mdev") or {}).get("devices") or [] if row.get("open_by")]
    if used:
        names = listed(sorted({row["open_by"][0].get("vm") or row["open_by"][0].get("program") or "?" for row in used}))
        text = (
            f"The vGPU manager {there} is to become {version}, and virtual machines use their virtual GPUs ({names})."
            " Shut them down, or move them to another host, and run this again."
        )
        return [error("manager_in_use", text)]
    return [note("manager_changes", f"The vGPU manager {there} becomes {version}; it runs after a reboot.")]
