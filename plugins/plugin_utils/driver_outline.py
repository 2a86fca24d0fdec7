# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan is made from and what it holds: the defaults of its wants, and all of its keys."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_secure_boot import outline as no_secure_boot

DEFAULTS: dict[str, Any] = {
    "state": "present",
    "method": "package",
    "branch": None,
    "version": None,
    "flavour": "auto",
    "graphics_enabled": False,
    "kernels": ["running"],
    "gpu_required": True,
    "module_parameters": {},
    "hold_enabled": True,
    "unattended_upgrades_enabled": False,
    "upgrade_ok": False,
    "runfile_removal_ok": False,
    "kernel_change_ok": False,
    "repositories_ok": True,
    "nvml_enabled": True,
    "repository_url": None,
    "repository_key": None,
    "runfile": None,
    "dkms_enabled": True,
    "signing_key": None,
    "signing_certificate": None,
    "secure_boot": "auto",
    "mok_certificate": None,
    "mok_private_key": None,
    "mok_password": None,
    "mok_console": None,
    "mok_restage": False,
    "mok_rotate_before": None,
    "package_removal_ok": False,
    "requires": [],
}


def outline(wants: dict[str, Any], platform: dict[str, Any] | None) -> dict[str, Any]:
    """A plan in which nothing is decided yet."""
    known = platform or {}
    return {
        "state": wants["state"],
        "method": wants["method"],
        "platform": {"name": known.get("name"), "package_manager": known.get("package_manager")},
        "branch": None,
        "series": None,
        "version": wants["version"],
        "flavour": None,
        "build": None,
        "module_name": None,
        "kernel_packages": [],
        "packages": [],
        "pinning": None,
        "header_packages": [],
        "build_packages": [],
        "nvml_packages": [],
        "remove": [],
        "persistence": None,
        "kernels": [],
        "gpu_required": bool(wants["gpu_required"]),
        "repository": None,
        "repository_key": None,
        "runfile": None,
        "remove_runfile": bool(wants["runfile_removal_ok"])
        or (wants["method"] == "runfile" and wants["state"] == "absent"),
        "runfile_there": False,
        "previous": None,
        "module_files": [],
        "package_files": [],
        "initramfs_command": list(known.get("initramfs_command", [])),
        "load_modules": [],
        "secure_boot": no_secure_boot(wants),
        "upgrade": bool(wants["upgrade_ok"]),
        "hold": bool(wants["hold_enabled"]) and wants["state"] == "present",
        "commands": [],
        "findings": [],
        "why": {},
    }
