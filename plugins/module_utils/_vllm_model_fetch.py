# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that fetches one model, run by an environment's own Python with its libraries of the hubs.

It is told source, name, revision, folder, files, sha256, token, endpoint and log, and prints one marked line of JSON:
``{"commit", "files": {name: {"size", "sha256"}}}`` or ``{"error": kind, "text"}``. It keeps to the standard library
and to either of huggingface_hub and modelscope.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import shutil
import sys
import threading
import time

PERIOD = 10.0
RECORD = ".gpufleet-model.json"
OWN = (".cache/", ".mdl", ".msc", ".mv", "._", ".gpufleet", ".incomplete")
OTHER_WEIGHTS = ("*.bin", "*.pt", "*.pth", "*.h5", "*.msgpack", "*.onnx", "*.onnx_data", "*.ckpt", "*.gguf", "*.tflite")
OTHER_FOLDERS = ("original/*", "onnx/*", "openvino/*", "coreml/*", "metal/*")


class Refused(Exception):
    """A failure that has a kind which the module knows a sentence for."""

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


def chosen(names, patterns):
    """The files to have: by patterns, or else all without the weights of other formats beside safetensors."""
    if patterns:
        return sorted(name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in patterns))
    if not any(fnmatch.fnmatch(name, "*.safetensors") and "/" not in name for name in names):
        return sorted(names)
    other = OTHER_WEIGHTS + OTHER_FOLDERS
    return sorted(name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in other))


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


def present(folder):
    """{name: size} of the files below a folder that are the model's own."""
    found = {}
    for base, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = os.path.join(base, name)
            short = os.path.relpath(path, folder)
            if not short.startswith(OWN) and not short.endswith(OWN[-1]) and os.path.isfile(path):
                found[short] = os.path.getsize(path)
    return found


def arrived(folder):
    """Bytes below a folder, half files of the libraries among them."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(base, name)).st_blocks * 512
            except OSError:
                continue
    return total


def sweep(folder):
    """Removes half files that no later process goes on with: newer libraries give each process its own name."""
    for base, _, names in os.walk(os.path.join(folder, ".cache")):
        for name in names:
            if re.search(r"\.[0-9a-f]{8}\.incomplete$", name):
                os.unlink(os.path.join(base, name))


def digest(path, say):
    """SHA-256 of a file."""
    found, size, last = hashlib.sha256(), 0, time.monotonic()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 22), b""):
            found.update(piece)
            size += len(piece)
            if time.monotonic() - last > PERIOD:
                last = time.monotonic()
                say(f"{os.path.basename(path)}: {size >> 20} MiB hashed")
    return found.hexdigest()


class Progress:
    """A line in the log every few seconds while a block runs."""

    def __init__(self, told, total, say):
        self.told, self.total, self.say, self.over = told, total, say, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        before, then = arrived(self.told["folder"]), time.monotonic()
        while not self.over.wait(PERIOD):
            now, here = time.monotonic(), arrived(self.told["folder"])
            speed = max(0, here - before) / (now - then) / 1048576
            share = f" of {self.total >> 20} MiB ({min(100, 100 * here // self.total)} %)" if self.total else " MiB"
            self.say(f"{here >> 20}{share}, {speed:.1f} MiB/s")
            before, then = here, now

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *exc):
        self.over.set()


def room(told, total):
    free = shutil.disk_usage(told["folder"]).free
    lacking = total - arrived(told["folder"]) - free
    if lacking > 0:
        raise Refused("disk", f"{total >> 20} MiB are needed and {free >> 20} MiB are free")


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
