# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that fetches one model, run by an environment's own Python with its libraries of the hubs.

It is told source, name, revision, folder, files, sha256, token, endpoint and log, and prints one marked line of JSON:
``{"commit", "files": {name: {"size", "sha256"}}}`` or ``{"error": kind, "text"}``. It keeps to the standard library
and to either of huggingface_hub and modelscope.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time

from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_model_files import (
    Progress,
    Refused,
    chosen,
    digest,
    present,
    room,
    sweep,
)


def kind_of(error):
    """Which of the module's sentences an exception of a library is for."""
    names = {one.__name__ for one in type(error).__mro__}
    status = getattr(getattr(error, "response", None), "status_code", None)
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.errno == 28:
        return "disk"
    if "RevisionNotFoundError" in names or ("revision" in text.lower() and status == 404):
        return "revision"
    if names & {"GatedRepoError", "PermissionDeniedError", "AuthenticationError"} or status in (401, 403):
        return "token"
    if names & {"RepositoryNotFoundError", "NotExistError", "HFValidationError"} or status == 404:
        return "name"
    connection = ("Connect", "Timeout", "resolve", "unreachable", "LocalEntryNotFound", "ProxyError", "SSLError")
    return "network" if any(word in text for word in connection) else "other"


def brief(text):
    """A library's message in one line, without the advice for people at a keyboard."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [
        line for line in lines if not line.startswith(("Please make sure", "If you are trying", "For more details"))
    ]
    return " ".join(told)[:600]


def huggingface(told, say):
    """Fetches from Hugging Face or a mirror of it; the commit, and {name: SHA-256 or None} of the files."""
    try:
        import huggingface_hub
    except ImportError as error:
        raise Refused("library", f"huggingface_hub: {error}") from error
    token = told.get("token") or False
    api = huggingface_hub.HfApi(endpoint=told.get("endpoint") or None, token=token)
    about = api.model_info(told["name"], revision=told.get("revision") or None, files_metadata=True)
    sizes = {one.rfilename: one.size or 0 for one in about.siblings or []}
    if told.get("look"):
        return about.sha, {}
    names = wanted_files(told, sizes)
    sweep(told["folder"])
    with Progress(told, sum(sizes[name] for name in names), say):
        huggingface_hub.snapshot_download(
            told["name"], revision=about.sha, local_dir=told["folder"], allow_patterns=names, token=token,
            endpoint=told.get("endpoint") or None, max_workers=4,
        )  # fmt: skip
    return about.sha, {one.rfilename: one.lfs and one.lfs.sha256 for one in about.siblings if one.rfilename in names}


def modelscope(told, say):
    """Fetches from ModelScope; the same as from Hugging Face."""
    try:
        from modelscope.hub.snapshot_download import snapshot_download
    except ImportError as error:
        raise Refused("library", f"modelscope: {error}") from error
    revision = told.get("revision") or None
    sizes, sums = modelscope_files(told["name"], revision)
    if told.get("look"):
        return named_by(sizes, sums), {}
    names = wanted_files(told, sizes)
    with Progress(told, sum(sizes[name] for name in names), say):
        snapshot_download(told["name"], revision=revision, local_dir=told["folder"], allow_patterns=names)
    return named_by(sizes, sums), {name: sums.get(name) for name in names}


def modelscope_files(name, revision):
    """({name: bytes}, {name: SHA-256 or None}) of a revision; the library has had two ways to ask."""
    try:
        from modelscope_hub import HubApi
    except ImportError:
        from modelscope.hub.api import HubApi

        more = {"revision": revision} if revision else {}
        rows = [row for row in HubApi().get_model_files(name, recursive=True, **more) if row.get("Type") != "tree"]
        return {row["Path"]: row.get("Size") or 0 for row in rows}, {row["Path"]: row.get("Sha256") for row in rows}
    rows = [row for row in HubApi().list_repo_files(name, "model", revision=revision) if not row.is_dir]
    return {row.path: row.size for row in rows}, {row.path: row.sha256 for row in rows}


def named_by(sizes, sums):
    """A name for the state of a repository that tells no commit: it changes with any file."""
    text = json.dumps([[name, sizes[name], sums.get(name)] for name in sorted(sizes)])
    return f"files-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def wanted_files(told, sizes):
    """The names to fetch, once there is room for them."""
    names = chosen(sizes, told.get("files") or [])
    if not names:
        raise Refused("files", f"none of {len(sizes)} files is one of {', '.join(told.get('files') or ['*'])}")
    room(told, sum(sizes[name] for name in names))
    return names


def fetch(told, say):
    """What is there afterwards, hashed and compared with what the hub and the user say."""
    known = told.get("known") or {}
    commit, sums = {"huggingface": huggingface, "modelscope": modelscope}[told["source"]](told, say)
    if told.get("look"):
        return {"commit": commit, "files": {}}
    files = {}
    for name, size in sorted(present(told["folder"]).items()):
        path = os.path.join(told["folder"], name)
        if name not in sums:  # of the revision before, or of other patterns
            os.unlink(path)
            continue
        same = known.get(name, {}) if known.get(name, {}).get("stamp") == os.stat(path).st_mtime_ns else {}
        found = same.get("sha256") or digest(path, say)
        asked = (told.get("sha256") or {}).get(name)
        for expected, who in ((sums.get(name), "the hub"), (asked, "sha256")):
            if expected and expected.lower() != found:
                os.unlink(path)
                raise Refused("checksum", f"{name} has {found}, and {who} says {expected}")
        files[name] = {"size": size, "sha256": found, "stamp": os.stat(path).st_mtime_ns}
    torn = sorted(set(sums) - set(files))
    if torn:
        raise Refused("network", f"{', '.join(torn[:5])} did not arrive")
    lost = sorted(set(told.get("sha256") or {}) - set(files))
    if lost:
        raise Refused("files", f"sha256 names {', '.join(lost)}, which is not among what was fetched")
    return {"commit": commit, "files": files}


def main(told):
    """Runs as the program."""
    import logging

    logging.disable(logging.INFO)

    def say(text):
        with open(told["log"], "a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {told['name']}: {text}\n")

    try:
        if told["source"] == "modelscope" and told.get("token"):
            os.environ["MODELSCOPE_API_TOKEN"] = told["token"]
        answer = fetch(told, say)
        if not told.get("look"):
            total = sum(row["size"] for row in answer["files"].values())
            say(f"fetched, {len(answer['files'])} files, {total >> 20} MiB")
    except Refused as error:
        answer = {"error": error.kind, "text": str(error)}
    except Exception as error:
        answer = {"error": kind_of(error), "text": f"{type(error).__name__}: {error}"}
    if "error" in answer:
        answer["text"] = brief(answer["text"]).replace(told.get("token") or "\0", "***")
        say(f"failed: {answer['text']}")
    sys.stdout.write(f"\nGPUFLEET {json.dumps(answer)}\n")
