"""A stand-in for the libraries huggingface_hub and modelscope: their hub is a folder, HUB/NAME/REVISION/files.

Tests copy this file to where a Python finds it under those names; it uses the standard library alone.
`HUB/fails` holds the name of an exception that everything ends with, `HUB/stops_after` a file after which a download
breaks off, `HUB/token` the token that must be shown, and `HUB/asked` gets a line for each request.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import shutil
from types import SimpleNamespace

HUB = os.environ.get("HUB", "")


class RepositoryNotFoundError(Exception):
    pass


class RevisionNotFoundError(Exception):
    pass


class GatedRepoError(Exception):
    pass


class ConnectError(Exception):
    pass


def told(name):
    try:
        with open(os.path.join(HUB, name), encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def ask(what, token):
    with open(os.path.join(HUB, "asked"), "a", encoding="utf-8") as file:
        file.write(f"{what}\n")
    if told("fails"):
        raise globals()[told("fails")](f"the hub says no, to {token}")
    if told("token") and told("token") != token:
        raise GatedRepoError(f"401 Client Error, {token} is no token")


def folder_of(name, revision):
    folder = os.path.join(HUB, name)
    if not os.path.isdir(folder):
        raise RepositoryNotFoundError(f"404 Client Error\n\nRepository Not Found for {name}\nPlease make sure of it")
    folder = os.path.join(folder, (revision or "main").replace("commit-", ""))
    if not os.path.isdir(folder):
        raise RevisionNotFoundError(f"404 Client Error, no {revision}")
    return os.path.realpath(folder)


def names_in(folder):
    below = [os.path.join(base, name) for base, _folders, names in os.walk(folder) for name in names]
    return sorted(os.path.relpath(path, folder) for path in below)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class HfApi:
    def __init__(self, endpoint=None, token=None):
        self.token = token

    def model_info(self, name, revision=None, files_metadata=False):
        ask(f"info {name} {revision}", self.token)
        folder = folder_of(name, revision)
        rows = [
            SimpleNamespace(
                rfilename=one,
                size=os.path.getsize(os.path.join(folder, one)),
                lfs=SimpleNamespace(sha256=told("claims") or digest(os.path.join(folder, one)))
                if one.endswith(".safetensors")
                else None,
            )
            for one in names_in(folder)
        ]
        return SimpleNamespace(sha=f"commit-{os.path.basename(folder)}", siblings=rows)


def snapshot_download(name, revision=None, local_dir=None, allow_patterns=None, token=None, **more):
    ask(f"download {name} {revision}", token or os.environ.get("MODELSCOPE_API_TOKEN"))
    folder = folder_of(name, revision)
    for one in names_in(folder):
        if any(fnmatch.fnmatch(one, pattern) for pattern in allow_patterns or ["*"]):
            target = os.path.join(local_dir, one)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if not os.path.exists(target) or digest(target) != digest(os.path.join(folder, one)):
                ask(f"file {one}", token or os.environ.get("MODELSCOPE_API_TOKEN"))
                shutil.copyfile(os.path.join(folder, one), f"{target}.part")
                os.replace(f"{target}.part", target)
            if told("stops_after") == one:
                raise ConnectError("Connection reset by peer")
    return local_dir


class HubApi:
    """The newer of ModelScope's two ways to ask."""

    def list_repo_files(self, name, kind, revision=None):
        ask(f"info {name} {revision}", os.environ.get("MODELSCOPE_API_TOKEN"))
        folder = folder_of(name, revision)
        return [
            SimpleNamespace(
                path=one,
                size=os.path.getsize(os.path.join(folder, one)),
                sha256=digest(os.path.join(folder, one)),
                is_dir=False,
            )
            for one in names_in(folder)
        ]

    def get_model_files(self, name, revision=None, recursive=False):
        """The older one."""
        rows = self.list_repo_files(name, "model", revision)
        return [{"Path": row.path, "Size": row.size, "Sha256": row.sha256, "Type": "blob"} for row in rows]
