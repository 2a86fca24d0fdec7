# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's .run files: what is asked for, what is there, what to do, and doing it."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_cuda as cuda
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_dkms as dkms
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_driver as driver
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_file as files
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_header as header
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_installed as installed
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_kept as kept
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_options as options
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_wanted as request
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError


def ensure(params, system, fetch, *, apply):
    """Makes the machine have, or not have, what the file holds.

    :param fetch: callable(address, path, timeout) that downloads a file
    :returns: changed, steps, kind, version, path, log, reboot_hint, diff; or only ``transfer``, when the action plugin
        is to bring the file from the controller first and call again
    :raises NvidiaError: when it is refused or fails
    """
    asked = told_by_file(system, request.wanted(params))
    ensure_kind = ensure_toolkit if asked.kind == "cuda" else ensure_driver
    return ensure_kind(params, system, fetch, asked, apply)


def told_by_file(system, asked):
    """Reads the version from a file on the host whose name does not tell it; nothing is executed."""
    if not asked.present or asked.version:
        return asked
    data = system.read_bytes(asked.src, header.HEADER_BYTES)
    if data is None:
        raise NvidiaError(
            f"There is no file {asked.src} on the host. Put it there, or leave remote_src out for a file here."
        )
    told = header.parse_header(data)
    if told is None:
        raise NvidiaError(
            f"{asked.src} is no .run file of NVIDIA's: {header.describe_other(data)}. Nothing was changed."
        )
    if told.version is None:
        raise NvidiaError(
            f"{asked.src} does not tell its version: set version, or give the file the name back that NVIDIA gave it."
        )
    return request.with_version(asked, told.version)


def ensure_driver(params, system, fetch, asked, apply):
    kernels = installed.target_kernels(system, params["kernels"])
    before = installed.observe_driver(system, kernels)
    leaving = params["packages_removed"] and not apply  # check mode: they are still there, and will not be
    packages = installed.packaged(system) if asked.present and not leaving else []
    wants_dkms = params["dkms"]
    steps = decide.plan_driver(asked, before, packages, params["module_type"], wants_dkms)
    waiting = obtained(params, system, fetch, asked, steps, "/usr", apply)
    if waiting.get("transfer"):
        return waiting
    if apply:
        apply_driver(params, system, asked, steps, waiting.get("file"), before, kernels)
    now = installed.observe_driver(system, kernels) if apply and steps else before
    after = decide.predict_driver(before, steps, asked, params["module_type"], kernels, wants_dkms)
    if apply and steps:
        after = decide.describe_driver(now, wants_dkms)
    return {
        **outcome(asked, steps, decide.describe_driver(before, wants_dkms), after),
        "path": None,
        "reboot_hint": reboot_hint(system, after["version"]),
    }


def apply_driver(params, system, asked, steps, file, before, kernels):
    for step in steps:
        if step.kind == "uninstall":
            driver.remove(system, params)
        elif step.kind == "install":
            driver.refuse_unready(system, params, kernels)
            driver.install(system, params, asked, file.path, before, kernels)
        elif step.kind == "modules":
            driver.refuse_unready(system, params, [step.data])
            driver.build_modules(system, params, asked, file.path, step.data)
        elif step.kind == "register":
            driver.refuse_unready(system, {**params, "dkms": True}, [step.data])
            dkms.build(system, params, asked.version, step.data)


def ensure_toolkit(params, system, fetch, asked, apply):
    if apply:
        cuda.recover(system, asked.toolkit_path)
    record = kept.read(system)
    before = cuda.observe(system, asked.toolkit_path, record.begun)
    steps = decide.plan_toolkit(asked, before, asked.toolkit_path in record.toolkits)
    waiting = obtained(params, system, fetch, asked, steps, asked.toolkit_path, apply)
    if waiting.get("transfer"):
        return waiting
    if apply:
        apply_toolkit(params, system, asked, steps, waiting.get("file"), before)
    after = decide.predict_toolkit(before, steps, asked)
    if apply and steps:
        after = decide.describe_toolkit(installed.observe_toolkit(system, asked.toolkit_path, []))
    return {**outcome(asked, steps, decide.describe_toolkit(before), after), "path": before.path, "reboot_hint": None}


def apply_toolkit(params, system, asked, steps, file, before):
    for step in steps:
        if step.kind == "delete":
            cuda.delete(system, before.path)
            cuda.end(system, before.path)
        elif step.kind == "uninstall":
            cuda.remove(system, params, before)
        elif step.kind == "install":
            cuda.install(system, params, asked, file.path, before)
            if asked.origin != "host":
                system.remove(file.path)


def obtained(params, system, fetch, asked, steps, target, apply):
    """{'file': File} when the file is on the host and good, {'transfer': True} when it is to come first, or {}.

    A file on the host is examined in check mode as well; one that would have to be fetched first is not fetched there.
    """
    if not any(step.kind in ("install", "modules") for step in steps) or not (apply or asked.origin == "host"):
        return {}
    if asked.origin == "controller" and not params["transferred"] and not files.is_here(system, asked):
        return {"transfer": True}
    path = files.obtain(system, asked, fetch, params["transferred"], params["timeout"])
    try:
        file = files.examine(system, asked, path)
        files.refuse_without_room(system, file, params["tmpdir"], target)
    except NvidiaError:
        if asked.origin != "host":
            system.remove(path)
        raise
    return {"file": file}


def outcome(asked, steps, before, after):
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "kind": asked.kind,
        "version": after["version"],
        "log": options.LOGS[asked.kind] if steps else None,
        "diff": {"before": before, "after": after},
    }


def reboot_hint(system, version):
    """Why what runs is not what is installed, or None."""
    loaded = (system.read("/sys/module/nvidia/version") or "").strip()
    if loaded and not version:
        return f"The driver is removed but its module {loaded} is still loaded; unload it or reboot."
    if loaded and version and loaded != version:
        return f"The loaded module is {loaded}, the installed driver {version}; reload the modules or reboot."
    return None
