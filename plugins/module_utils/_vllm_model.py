# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models in one managed folder: what is there and whole, what is to be fetched, fetching it."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_model_apply as applying
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_model_observe as observation
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_model_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_model_wanted import wanted

HASHING = 86400


def ensure(params, system, *, apply):
    """The result of the module `vllm_model`; see its RETURN.

    :raises NvidiaError: when it is refused or fails
    """
    models = wanted(params)
    seen = {model.name: observation.observe(system, model.path) for model in models}
    damaged = {model.name: changed_files(system, params, model, seen[model.name]) for model in models}
    moved = applying.moved(system, params, models, seen) if params["refresh"] and not params["offline"] else {}
    steps = decide.plan(models, seen, damaged, moved)
    refuse(params, models, seen, damaged, steps)
    before, after = decide.describe(models, seen, steps)
    fetched = {step.model.name for step in steps}
    if apply:
        for step in steps:
            applying.fetch(system, params, step, seen[step.model.name])
            seen[step.model.name] = observation.observe(system, step.model.path)
    known = {model.name: observation.facts(seen[model.name], model.path) for model in models}
    unknown = {} if apply else {name: {"path": known[name]["path"]} for name in fetched}
    return {
        "changed": bool(steps),
        "steps": [step.says for step in steps],
        "models": {**known, **unknown},
        "log": applying.log_of(params["folder"].rstrip("/")),
        "diff": {"before": before, "after": after},
    }


def changed_files(system, params, model, seen):
    """Files of one model that do not hash to what is expected; all of a fetched model's are looked at with `verify`."""
    recorded = {name: row.get("sha256") for name, row in ((seen.record or {}).get("files") or {}).items()}
    expected = {**recorded, **model.sha256}
    names = [name for name in sorted(expected) if name in seen.files]
    if not params["verify"]:
        names = [name for name in names if name in model.sha256 and recorded.get(name) != model.sha256[name]]
    return [name for name in names if digest(system, f"{model.path}/{name}") != expected[name]]


def digest(system, path):
    done = system.run(["sha256sum", "--", path], timeout=HASHING)
    if done.rc:
        raise NvidiaError(f"{path} cannot be read: {done.err.strip()}. Look at the disk.")
    return done.out.lstrip("\\").split()[0]


def refuse(params, models, seen, damaged, steps):
    """:raises NvidiaError: for what no fetch can mend, all of it in one message"""
    wrong = []
    for model in models:
        absent = sorted(set(model.sha256) - set(seen[model.name].files)) if seen[model.name].exists else []
        if model.source == "path" and (absent or damaged[model.name]):
            told = "; ".join(
                [f"{name} is not there" for name in absent]
                + [f"{name} has another checksum than sha256 says" for name in damaged[model.name]]
            )
            wrong.append(f"Model {model.name} in {model.path}: {told}. Copy it there again, or correct sha256.")
    if steps and params["offline"]:
        names = ", ".join(f"{step.model.name} (to {step.model.path})" for step in steps)
        wrong.append(
            f"offline is set and these are not there as asked for: {names}. Carry their folders here, or fetch them "
            "once with a network."
        )
    if wrong:
        raise NvidiaError(" ".join(wrong))
