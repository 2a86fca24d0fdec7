# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration files of a plan: which modules load and how, and what unattended upgrades must leave alone."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error

MODPROBE = "/etc/modprobe.d/gpufleet-nvidia.conf"
UNATTENDED = "/etc/apt/apt.conf.d/52gpufleet-nvidia"
HEADER = "Managed by gpufleet.nvidia, role nvidia_driver: changes made here are lost."
OTHER_DRIVERS = ("nouveau", "nova", "nova_core", "nova_drm")
NAME = re.compile(r"[A-Za-z0-9_]+")
VALUE = re.compile(r"[!-~]*")


def present(path: str, content: str) -> dict[str, Any]:
    return {"path": path, "content": content, "mode": "0644"}


def is_taken(facts: dict[str, Any], role: str, file: dict[str, Any]) -> bool:
    """Whether the role's record tells that the file has another mode, user or group by now than it shall have."""
    record = (facts.get("records") or {}).get(role) or {}
    rows = [row["is"] for row in record.get("drift") or [] if row["kind"] == "file" and row["name"] == file["path"]]
    wanted = (file.get("mode"), "root:root")
    return any("sha256" in row and (row["mode"], row["owner"]) != wanted for row in rows if row)


def absent(path: str) -> dict[str, Any]:
    return {"path": path, "state": "absent"}


def modprobe_file(module: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keeps nouveau and nova from loading, and sets the parameters of NVIDIA's module under its real name.

    :param module: the module's file name, such as ``nvidia`` or Debian's ``nvidia-current``: modprobe goes by that name
    """
    lines = [f"# {HEADER}"]
    lines += [f"blacklist {name}" for name in OTHER_DRIVERS]
    lines += ["options nouveau modeset=0", "alias nouveau off"]
    lines += [f"options {module} {name}={_value(parameters[name])}" for name in sorted(parameters)]
    return present(MODPROBE, "\n".join(lines) + "\n")


def _value(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def parameter_findings(parameters: dict[str, Any]) -> list[dict[str, str]]:
    """Errors for names and values that modprobe.d cannot hold."""
    return [
        error(
            "module_parameter_invalid",
            f"nvidia_driver_module_parameters has {name!r}: {parameters[name]!r}, which modprobe.d cannot hold: a name"
            " is letters, digits and underscores, a value is text without blanks. Correct it, or remove it.",
        )
        for name in sorted(parameters, key=str)
        if not NAME.fullmatch(str(name)) or not VALUE.fullmatch(_value(parameters[name]))
    ]


def unattended_file(patterns: list[str]) -> dict[str, Any]:
    """Tells unattended-upgrades to leave the driver alone, as a whole.

    :param patterns: regular expressions from the start of a package's name
    """
    rows = "".join(f'    "{pattern}";\n' for pattern in patterns)
    return present(
        UNATTENDED,
        f"// {HEADER}\n"
        "// A driver moves as a whole or not at all, and never under a running module.\n"
        f"Unattended-Upgrade::Package-Blacklist {{\n{rows}}};\n",
    )
