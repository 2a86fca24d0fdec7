# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command lines that make an environment, with uv or with venv and pip. Pure, but for asking which uv there is."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# Where pip finds out about indexes, which uv does not read.
PIP_CONFIGURATION = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "/root/.config/pip/pip.conf", "/root/.pip/pip.conf")
UV_CONFIGURATION = ("/etc/uv/uv.toml", "/etc/xdg/uv/uv.toml", "/root/.config/uv/uv.toml")


def chosen(system, params):
    """`uv` or `pip`.

    :raises NvidiaError: when uv is asked for and not there
    """
    if params["installer"] == "pip":
        return "pip"
    if system.which("uv") is None:
        if params["installer"] == "uv":
            raise NvidiaError("uv is not on this host. Install it, or set installer to auto or pip.")
        return "pip"
    if params["installer"] == "auto" and params["index_url"] is None and not params["wheelhouse"]:
        told_pip = any(system.exists(path) for path in PIP_CONFIGURATION)
        if told_pip and not any(system.exists(path) for path in UV_CONFIGURATION):
            return "pip"
    return "uv"


def venv(installer, python, path):
    """argv that makes an empty environment."""
    if installer == "uv":
        return ["uv", "venv", "--quiet", "--no-project", "--no-python-downloads", "--python", python, path]
    return [python, "-m", "venv", path]


def install(installer, path, want, params, constraints, log):
    """argv that installs the packages. Addresses, which may hold credentials, are in `environment`."""
    requirements = [f"{want.package}=={want.version}", *want.recipe["extra_packages"]]
    if installer == "uv":
        argv = ["uv", "pip", "install", "--python", f"{path}/bin/python", "--compile-bytecode", "--no-progress"]
        argv += ["--offline"] if params["offline"] else []
    else:
        argv = [f"{path}/bin/python", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        argv += ["--progress-bar", "off", "--log", log]
    if params["wheelhouse"]:
        argv += ["--find-links", params["wheelhouse"]]
    if params["offline"] and (params["wheelhouse"] or installer == "pip"):
        argv += ["--no-index"]
    argv += ["--constraint", constraints] if constraints else []
    return [*argv, *requirements]


def uninstall(installer, path, packages, log):
    """argv that removes packages again."""
    if installer == "uv":
        return ["uv", "pip", "uninstall", "--python", f"{path}/bin/python", *packages]
    tool = [f"{path}/bin/python", "-m", "pip", "uninstall", "--yes", "--disable-pip-version-check"]
    return [*tool, "--log", log, *packages]


def environment(installer, params):
    """Variables for the installer; the only place of the indexes' addresses."""
    index, more = params["index_url"], params["extra_index_urls"]
    variables = {"PYTHONNOUSERSITE": "1"}
    if installer == "uv":
        variables.update({"UV_DEFAULT_INDEX": index} if index else {})
        variables.update({"UV_INDEX": " ".join(more), "UV_INDEX_STRATEGY": "unsafe-best-match"} if more else {})
        return variables
    variables.update({"PIP_INDEX_URL": index} if index else {})
    variables.update({"PIP_EXTRA_INDEX_URL": " ".join(more)} if more else {})
    return variables
