# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest driver: which file it comes in, whether it is there, and what it may not be laid over."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_runfile import installed_packages
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_host import guest_version

Findings = list[dict[str, str]]
DIGEST = re.compile(r"(sha256:)?[0-9a-fA-F]{64}")
VERSION = re.compile(r"\d{3}\.\d{1,3}(?:\.\d{1,3})?")
ENDINGS = {"deb": ".deb", "rpm": ".rpm", "runfile": ".run"}
MANAGERS = {"deb": ("apt",), "rpm": ("dnf", "zypper")}
PACKAGES = "nvidia-linux-grid-*"
WAYS = ("src", "path", "url")


def file_of(given: dict[str, Any]) -> dict[str, Any]:
    """``{src, remote_src, sha256, version, name}`` of the variable vgpu_guest_driver; ``name`` is the file's."""
    way = next((key for key in WAYS if given.get(key)), "src")
    src = str(given.get(way) or "")
    name = re.split(r"[?#]", src)[0].rstrip("/").rsplit("/", 1)[-1]
    told = VERSION.search(name)
    return {
        "src": src,
        "remote_src": way == "path" or bool(given.get("remote_src")),
        "sha256": str(given.get("sha256") or ""),
        "version": str(given["version"]) if given.get("version") else told.group() if told else None,
        "name": name,
    }


def method_of(file: dict[str, Any], asked: str) -> str | None:
    """deb, rpm or runfile: what was asked for, else by the file's ending; None: it is none of them."""
    if asked in ENDINGS:
        return asked
    return next((method for method, ending in ENDINGS.items() if file["name"].endswith(ending)), None)


def driver_findings(facts: dict[str, Any], wants: dict[str, Any], machine_manager: str | None) -> Findings:
    """Errors for a file that is not named well, and for another driver that is there."""
    given, there = wants["driver"], guest_version(facts) if is_grid(facts) else None
    if not given and not there:
        text = (
            "No guest driver is installed, and vgpu_guest_driver does not name one. NVIDIA gives it out in its"
            " licensing portal alone: name the file there (src on the controller, path on the host, or url) and"
            " its sha256."
        )
        return [error("driver_missing", text), *_other_driver(facts)]
    if not given:
        return []
    return [*_file_findings(file_of(given), given, wants["method"], machine_manager), *_other_driver(facts)]


def _file_findings(file: dict[str, Any], given: dict[str, Any], asked: str, manager: str | None) -> Findings:
    found: Findings = []
    ways = [key for key in WAYS if given.get(key)]
    if len(ways) != 1:
        text = (
            f"vgpu_guest_driver has {listed(ways)} of {listed(list(WAYS))}, and takes one of them: a file on the"
            " controller, one on the host (such as a mounted share), or an address."
        )
        return [error("driver_source", text)]
    if not DIGEST.fullmatch(file["sha256"]):
        text = (
            f"vgpu_guest_driver names {file['name']} without its checksum, and the file is run as root. Set sha256 to"
            " the 64 digits that `sha256sum` prints for a copy that you trust."
        )
        found.append(error("driver_checksum", text))
    method = method_of(file, asked)
    if method is None or not file["name"].endswith(ENDINGS[method]):
        text = (
            f"vgpu_guest_driver names {file['name']}, which is no"
            f" {'.deb, .rpm or .run' if method is None else ENDINGS[method]} file. Name the guest driver's file,"
            " not the bundle that holds it."
        )
        return [*found, error("driver_kind", text)]
    if re.search(r"vgpu-kvm|nvidia-vgpu-", file["name"]):
        text = (
            f"{file['name']} is the vGPU manager for a host, not the driver for its guests: CUDA would find a driver"
            " that is insufficient. Take the file with grid in its name from the same bundle."
        )
        found.append(error("driver_of_host", text))
    if file["version"] is None:
        text = (
            f"The version of {file['name']} cannot be told from its name. Set version in vgpu_guest_driver, so that a"
            " host that has it already is left alone."
        )
        found.append(error("driver_version_unknown", text))
    if method in MANAGERS and manager not in MANAGERS[method]:
        text = (
            f"{file['name']} is a {ENDINGS[method]} file, and this host's package manager is {manager or 'not known'}."
            " Take the file for this platform, or NVIDIA's runfile."
        )
        found.append(error("driver_method_unsupported", text))
    return found


def is_grid(facts: dict[str, Any]) -> bool:
    return bool((facts.get("grid") or {}).get("installed"))


def grid_packages(facts: dict[str, Any]) -> list[str]:
    """Names of installed packages that are the guest driver's."""
    package = (facts.get("grid") or {}).get("package")
    return [package["name"]] if package else []


def _other_driver(facts: dict[str, Any]) -> Findings:
    """A driver that is not a guest's is not replaced by this role: nobody asked for its removal."""
    others = [name for name in installed_packages(facts) if not name.startswith("nvidia-linux-grid")]
    runfile = ((facts.get("driver") or {}).get("install") or {}).get("runfile")
    if others:
        text = (
            f"Another driver is installed from packages ({listed(others)}). The guest driver does not go beside it:"
            " remove it with role nvidia_driver (nvidia_driver_state: absent), and run this again."
        )
        return [error("other_driver", text)]
    if runfile and not is_grid(facts):
        text = (
            f"Another driver is installed from NVIDIA's runfile ({runfile.get('version') or 'version unknown'}). Remove"
            f" it with {runfile['uninstaller']}, or with role nvidia_driver (nvidia_driver_state: absent,"
            " nvidia_driver_method: runfile), and run this again."
        )
        return [error("other_driver", text)]
    return []


def change_findings(facts: dict[str, Any], file: dict[str, Any], method: str | None) -> Findings:
    """What a change of the version, or of the way it comes, means."""
    there = guest_version(facts) if is_grid(facts) else None
    from_package = bool(grid_packages(facts))
    if there and method == "runfile" and from_package:
        text = (
            f"The guest driver is installed from a package ({listed(grid_packages(facts))}), and vgpu_guest_driver"
            " names a runfile. Remove it first (vgpu_guest_state: absent), or name the package."
        )
        return [error("driver_method_changed", text)]
    if there and method in MANAGERS and not from_package:
        text = (
            f"The guest driver {there} is installed from NVIDIA's runfile, and vgpu_guest_driver names a package."
            " Remove it first (vgpu_guest_state: absent with the runfile in vgpu_guest_driver), or name the runfile."
        )
        return [error("driver_method_changed", text)]
    if there and file["version"] and there != file["version"]:
        text = f"The guest driver {there} is replaced by {file['version']}; its modules run after a reboot."
        return [note("driver_changes", text)]
    return []
