# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a plan as a person would type them on that platform, in order.

Where the collection applies a plan itself, its modules add what needs the live host: the simulated transaction, the
exact package versions, the hold of the whole closure. Elsewhere these lines are the recipe.
"""

from __future__ import annotations

from typing import Any


def commands_of(plan: dict[str, Any], lock: str, data: dict[str, Any], wants: dict[str, Any]) -> list[list[str]]:
    """Argument lists for a plan of state present.

    :param lock: the platform's way to keep a version: apt-mark, module-stream, versionlock, addlock, ignore-pkg
    :param data: the catalogue's row of the chosen build and flavour
    """
    if plan["runfile"]:
        return [*_runfile(plan), plan["initramfs_command"]]
    manager = plan["platform"]["package_manager"]
    names = [*plan["packages"], *plan["nvml_packages"]]
    commands = {"apt": _apt, "dnf": _dnf, "zypper": _zypper, "pacman": _pacman}[manager](plan, lock, data, names)
    if wants["hold_enabled"] and lock == "apt-mark":
        commands.append(["apt-mark", "hold", *plan["packages"]])
    if wants["hold_enabled"] and lock == "module-stream" and plan["version"]:
        commands.append(["dnf", "-y", "versionlock", "add", *plan["packages"]])
    if wants["hold_enabled"] and lock == "addlock":
        commands.append(["zypper", "--non-interactive", "addlock", *plan["packages"]])
    return [*commands, plan["initramfs_command"]]


INSTALL = {
    "apt": ["apt-get", "install", "--yes", "--no-install-recommends"],
    "dnf": ["dnf", "-y", "install"],
    "zypper": ["zypper", "--non-interactive", "install"],
    "pacman": ["pacman", "--sync", "--needed", "--noconfirm"],
}


def _runfile(plan: dict[str, Any]) -> list[list[str]]:
    options = plan["runfile"]
    argv = ["sh", str(options["src"]), "--silent", "--dkms" if options["dkms"] else "--no-dkms"]
    argv += [f"--kernel-module-type={options['module_type']}"]
    argv += [] if options["opengl"] else ["--no-opengl-files"]
    argv += [] if options["load_modules"] else ["--skip-module-load"]
    if options["signing_key"]:
        argv += [f"--module-signing-secret-key={options['signing_key']}"]
        argv += [f"--module-signing-public-key={options['signing_certificate']}"]
    install = INSTALL[plan["platform"]["package_manager"]]
    return [[*install, *plan["header_packages"], *plan["build_packages"], *plan["nvml_packages"]], argv]


def repository_commands(manager: str, source: dict[str, Any]) -> list[list[str]]:
    """How a person would enable NVIDIA's own repository where no file of ours does it."""
    file = f"{source['url']}cuda-{source['folder']}.repo"
    return {
        "dnf": [["dnf", "config-manager", "--add-repo", file]],
        "zypper": [["zypper", "addrepo", file], ["zypper", "--gpg-auto-import-keys", "refresh"]],
    }.get(manager, [])


def _apt(plan: dict[str, Any], lock: str, data: dict[str, Any], names: list[str]) -> list[list[str]]:
    exact = f"={plan['version']}*" if plan["version"] else ""
    key, pin = plan["repository_key"], [plan["pinning"]] if plan["pinning"] else []
    fetch = [["curl", "-fsSL", "-o", key["path"], key["url"]]] if key and key["url"] else []
    update = [["apt-get", "update"]] if plan["repository"] else []
    first = [["apt-get", "install", "--yes", *pin]] if pin else []
    names = [name for name in names if name not in pin]
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *plan["header_packages"]]
    install += [name + exact if name in plan["packages"] else name for name in names]
    return [*fetch, *update, *first, install]


def _dnf(plan: dict[str, Any], lock: str, data: dict[str, Any], names: list[str]) -> list[list[str]]:
    commands = []
    if "stream" in data:
        stream = data["stream"].format(branch=plan["branch"])
        commands = [
            ["dnf", "-y", "module", "reset", "nvidia-driver"],
            ["dnf", "-y", "module", "enable", f"nvidia-driver:{stream}"],
        ]
    elif lock == "versionlock":
        commands = [["dnf", "-y", "versionlock", "add", f"*nvidia*{plan['version'] or plan['branch']}*"]]
    exact = f"-{plan['version']}" if plan["version"] else ""
    packages = [name + exact if name in plan["packages"] else name for name in names]
    return [*commands, ["dnf", "-y", "install", *plan["header_packages"], *packages]]


def _zypper(plan: dict[str, Any], lock: str, data: dict[str, Any], names: list[str]) -> list[list[str]]:
    install = ["zypper", "--non-interactive", "install", "--auto-agree-with-licenses"]
    kernel = [name for name in names if name in plan["kernel_packages"]]
    rest = [name for name in names if name not in kernel]
    if not data.get("version_follows_kernel"):
        return [[*install, *plan["header_packages"], *names]]
    version = plan["version"] or "VERSION"
    query = ["rpm", "--query", "--queryformat", "%{VERSION}", *kernel]
    return [[*install, *kernel], query, [*install, *(f"{name}={version}" for name in rest)]]


def _pacman(plan: dict[str, Any], lock: str, data: dict[str, Any], names: list[str]) -> list[list[str]]:
    return [["pacman", "--sync", "--needed", "--noconfirm", *plan["header_packages"], *names]]


def removal_commands(platform: dict[str, Any], packages: list[str]) -> list[list[str]]:
    """Argument lists for a plan of state absent; *packages* are those to remove."""
    if not packages:
        return []
    unlock = {
        "apt-mark": [["apt-mark", "unhold", *packages]],
        "module-stream": [["dnf", "-y", "module", "reset", "nvidia-driver"]],
        "versionlock": [["dnf", "-y", "versionlock", "delete", "*nvidia*"]],
        "addlock": [["zypper", "--non-interactive", "removelock", *packages]],
        "ignore-pkg": [],
    }[platform["lock"]]
    remove = {
        "apt": ["apt-get", "purge", "--yes", "--auto-remove"],
        "dnf": ["dnf", "-y", "remove"],
        "zypper": ["zypper", "--non-interactive", "remove", "--clean-deps"],
        "pacman": ["pacman", "--remove", "--recursive", "--noconfirm"],
    }[platform["package_manager"]]
    return [*unlock, [*remove, *packages], list(platform["initramfs_command"])]
