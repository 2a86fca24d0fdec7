# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments for vLLM: what is there, what is asked for, building, proving, switching, pruning."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_environment_build as building
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_environment_commands as commands
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_environment_observe as observation
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_environment_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_environment_python as interpreter
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_environment_wanted import wanted


def ensure(params, system, *, apply, owner=(0, 0)):
    """The result of the module `vllm_environment`; see its RETURN.

    :param owner: numbers of user and group that the module runs as
    :raises NvidiaError: when it is refused or fails
    """
    want = wanted(params)
    if params["existing"]:
        return existing(system, params, want)
    before = observation.observe(system, want.prefix, owner)
    steps, name = decide.plan(before, want, params)
    told = made_with(system, params, steps, apply)
    if apply:
        carry_out(system, want, params, before, steps, {**told, "owner": owner})
    return {**report(system, want, before, steps, name), "warnings": told["warnings"]}


def made_with(system, params, steps, apply):
    """{installer, python, warnings} for what is built; asked before anything is touched.

    :raises NvidiaError: when it cannot be built; in check mode that is a warning, as a task before may change it
    """
    if not any(step.kind == "build" for step in steps):
        return {"warnings": []}
    try:
        return tools(system, params)
    except NvidiaError as exc:
        if apply:
            raise
        return {"warnings": [f"As the host is now, it cannot be built: {exc}"]}


def tools(system, params):
    """{installer, python, warnings} of the host."""
    if params["wheelhouse"] and not system.entries(params["wheelhouse"]):
        raise NvidiaError(f"The wheelhouse {params['wheelhouse']} is not there or empty. Put the wheels into it.")
    installer = commands.chosen(system, params)
    python = interpreter.find(system, params["python"], with_venv=installer == "pip")
    private = system.real(python).startswith("/root/")
    warning = f"{system.real(python)} lies in /root, where a service's own user cannot run it. Set python to another."
    return {"installer": installer, "python": python, "warnings": [warning] if private else []}


def carry_out(system, want, params, before, steps, told):
    """Does the steps; `current` is switched after the proof alone."""
    for step in steps:
        path = f"{want.prefix}/{step.name}"
        if step.kind == "build":
            building.build(system, want, params, step.name, told["installer"], told["python"])
        elif step.kind == "switch":
            switch(system, want, before, steps, step.name)
        elif step.kind == "rights":
            building.regain(system, before.environments[step.name].astray, told["owner"])
        else:
            for name in ("current", "previous"):
                if (system.link(f"{want.prefix}/{name}") or "").rstrip("/") in (step.name, path):
                    system.remove(f"{want.prefix}/{name}")
            building.remove(system, path)
            system.remove(f"{path}.log")


def switch(system, want, before, steps, name):
    """Lets `current` mean another environment, which is proved unless that has just been done or servers prove it."""
    if name not in before.served and not any(step.kind == "build" for step in steps):
        building.prove(system, f"{want.prefix}/{name}", before.environments[name].record.get("imports") or want.imports)
    if before.current in before.environments:
        link(system, before.current, f"{want.prefix}/previous")
    link(system, name, f"{want.prefix}/current")


def link(system, target, path):
    """Makes or moves a symbolic link in one step: whoever starts meanwhile sees the old one or the new one."""
    system.symlink(target, f"{path}.new")
    done = system.run(["mv", "-fT", f"{path}.new", path])
    if done.rc:
        raise NvidiaError(
            f"{path} cannot be made a link to {target}: {done.err.strip()}. Move away what is in its place."
        )


def report(system, want, before, steps, name):
    """What the module returns."""
    after = decide.predict(before, steps, want)
    known = before.environments.get(name)
    path = f"{want.prefix}/{name}" if name else None
    previous = after["previous"]
    record = before.environments[previous].record if previous in before.environments else {}
    there = observation.packages(system, path) if path else {}
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "path": path,
        "current": f"{want.prefix}/current" if after["current"] else None,
        "python": f"{path}/bin/python" if path else None,
        "version": there.get(want.package)
        or (known.record.get("version") if known else want.version if name else None),
        "previous": f"{want.prefix}/{previous}" if previous else None,
        "previous_version": record.get("version"),
        "packages": there,
        "log": f"{path}.log" if path else None,
        "diff": {"before": decide.describe(before), "after": after},
    }


def existing(system, params, want):
    """What there is to know of an environment that the user owns; nothing is run or changed.

    :raises NvidiaError: when it is none, or does not hold what is asked for
    """
    path = params["existing"].rstrip("/")
    python = f"{path}/bin/python"
    if not system.exists(system.real(python)):
        raise NvidiaError(
            f"existing is {path}, and there is no {python}. Give the folder of a virtual or conda environment."
        )
    there = observation.packages(system, path)
    version = there.get(want.package)
    if version is None:
        raise NvidiaError(
            f"There is no {want.package} in {path}. Install it there, or leave existing out to have it built."
        )
    if not observation.is_version(version, want.version):
        raise NvidiaError(
            f"{path} holds {want.package} {version}, and {want.version} is asked for. It is yours and is not changed: "
            "set version to what it holds, or leave existing out."
        )
    told = {"path": path, "current": path, "python": python, "version": version, "packages": there}
    same = {"existing": f"{want.package} {version} in {path}"}
    nothing: dict = {"previous": None, "previous_version": None, "log": None, "warnings": []}
    return {"changed": False, "steps": [], **told, **nothing, "diff": {"before": same, "after": dict(same)}}
