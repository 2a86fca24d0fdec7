# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching a model to a folder beside its own and moving it into place, so that no reader ever sees a part of it."""

from __future__ import annotations

import json
import posixpath

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_model_fetch as program
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_model_files as files
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _vllm_model_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_program import ask

LOOKING = 120
COPYING = 3600
# what the program tells is the first part of the sentence
SENTENCES = {
    "library": "{text}. The environment of {python} lacks {library}: add it to the environment's extra packages.",
    "token": "{text}. Accept the model's terms on its page, and give a token that may read it in {token}.",
    "name": "{text}. Check the name of the model; one that is private wants a token in {token}.",
    "revision": "{text}. Check the revision on the model's page.",
    "network": "{text}. Check proxy, name resolution and endpoint, or carry the folder here and name it as a path.",
    "disk": "{text}. Make room, or set folder to a larger disk; an update needs room for what changes as well.",
    "checksum": "{text}. The file was deleted; run again to fetch it anew, and then doubt hub or checksum.",
    "files": "{text}. Correct the model's files or sha256.",
    "other": "{text}.",
}


def own(folder):
    """Our files beside the models: the log, and what the libraries keep."""
    return f"{folder}/.gpufleet"


def log_of(folder):
    return f"{own(folder)}/download.log"


def incoming(path):
    """Where a model is until it is whole; it stays after a failure, so that the next run goes on from there."""
    return f"{posixpath.dirname(path)}/.{posixpath.basename(path)}.incoming"


def told(params, model, folder):
    """The request for the program; the token is in it alone."""
    secret = params["modelscope_token"] if model.source == "modelscope" else params["token"]
    return {
        "source": model.source,
        "name": model.name,
        "revision": model.revision,
        "folder": folder,
        "files": model.files,
        "sha256": model.sha256,
        "token": secret,
        "endpoint": params["endpoint"] if model.source == "huggingface" else None,
        "log": log_of(params["folder"].rstrip("/")),
    }


def variables(params):
    """What the libraries read from their environment; nothing secret."""
    folder = own(params["folder"].rstrip("/"))
    found = {
        "HF_HOME": f"{folder}/huggingface",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "MODELSCOPE_CACHE": f"{folder}/modelscope",
        "MODELSCOPE_CREDENTIALS_PATH": f"{folder}/modelscope/credentials",
    }
    if params["modelscope_endpoint"]:
        address = params["modelscope_endpoint"].rstrip("/")
        found.update({"MODELSCOPE_ENDPOINT": address, "MODELSCOPE_DOMAIN": address.split("://")[-1]})
    return found


def asked_program(system, params, model, request, timeout):
    """The program's answer.

    :raises NvidiaError: with a sentence for what went wrong
    """
    python = params["python"]
    if not python:
        raise NvidiaError(
            f"Model {model.name} is to be fetched from {decide.HUBS[model.source]}: set python to the interpreter of "
            "an environment that has huggingface_hub or modelscope, such as /opt/vllm/current/bin/python."
        )
    try:
        answer = ask(system, python, (files, program), request, timeout, variables(params))
    except CommandTimeout as exc:
        raise NvidiaError(
            f"Model {model.name} did not arrive within {timeout} s. What came is kept: run again, or set timeout to "
            f"more seconds. Log: {request['log']}."
        ) from exc
    if "error" in answer:
        hub = model.source == "modelscope"
        words = {"library": "modelscope" if hub else "huggingface_hub", "token": "modelscope_token" if hub else "token"}
        text = SENTENCES[answer["error"]].format(text=answer["text"].rstrip("."), python=python, **words)
        raise NvidiaError(f"Model {model.name} cannot be fetched: {text} Log: {request['log']}.")
    return answer


def moved(system, params, models, seen):
    """{name: commit} of fetched models whose revision means another commit on the hub now."""
    found = {}
    for model in models:
        record = seen[model.name].record
        if model.source != "path" and record and record.get("commit"):
            request = {**told(params, model, model.path), "look": True}
            if system.entries(own(params["folder"].rstrip("/"))) == []:
                request["log"] = "/dev/null"
            commit = asked_program(system, params, model, request, LOOKING)["commit"]
            if commit and commit != record["commit"]:
                found[model.name] = commit
    return found


def fetch(system, params, step, seen):
    """Fetches one model and moves it into place.

    :raises NvidiaError: when it fails; what was at the place before is still there then
    """
    model, place = step.model, incoming(step.model.path)
    system.folder(own(params["folder"].rstrip("/")), 0o700)
    if not system.exists(place):
        system.folder(place)
        if seen.exists:  # unchanged files are shared with the new folder and not fetched again
            run(system, ["cp", "-al", f"{model.path}/.", place], f"Copying {model.path} to {place}")
    for name in {*step.damaged, *(seen.missing if seen.record else [])}:
        system.remove(f"{place}/{name}")
    request = told(params, model, place)
    request["known"] = {} if step.damaged else (seen.record or {}).get("files") or {}
    answer = asked_program(system, params, model, request, params["timeout"])
    record = {**decide.asked(model), "commit": answer["commit"], "files": answer["files"]}
    system.write(f"{place}/{files.RECORD}", json.dumps(record, indent=1, sort_keys=True) + "\n")
    run(system, ["chmod", "-R", "a+rX", place], f"Opening {place} to the service's user")
    old = f"{place[: -len('incoming')]}old"
    if system.exists(model.path):
        run(system, ["mv", "-T", model.path, old], f"Moving {model.path} aside")
    run(system, ["mv", "-T", place, model.path], f"Moving {place} into place")
    run(system, ["rm", "-rf", "--one-file-system", old], f"Removing {old}")


def run(system, argv, what):
    done = system.run(argv, timeout=COPYING)
    if done.rc:
        raise NvidiaError(f"{what} failed: {done.err.strip() or done.rc}. See whether the disk is full or read-only.")
