# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parameters of module vllm_model ask for; what cannot be meant is refused, all of it in one message. Pure."""

from __future__ import annotations

import posixpath
import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# source: huggingface | modelscope | path; path: the folder on the host; sha256: {file: digits}; files: patterns
Wanted = namedtuple("Wanted", "name source revision path sha256 files")

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?")
REVISION = re.compile(r"[A-Za-z0-9][\w./-]*")
PATTERN = re.compile(r"[^/\s][^\n]*")


def wanted(params):
    """[Wanted] of all models.

    :raises NvidiaError: for what cannot be meant
    """
    folder = params["folder"].rstrip("/")
    wrong = [] if folder.startswith("/") else [f"folder is {params['folder']}; give a whole path such as /srv/models."]
    if params["timeout"] <= 0:
        wrong.append(f"timeout is {params['timeout']}; give the seconds that a download may take, such as 86400.")
    models = []
    for row in params["models"]:
        name, source = row["name"].rstrip("/"), "path" if row["name"].startswith("/") else row["source"]
        path = (row["path"] or (name if name.startswith("/") else f"{folder}/{name}")).rstrip("/")
        sums = {file: str(text).lower().replace("sha256:", "") for file, text in (row["sha256"] or {}).items()}
        models.append(Wanted(name, source, row["revision"], path, sums, sorted(row["files"] or [])))
        wrong += [f"Model {name}: {text}" for text in _wrong(models[-1])]
    wrong += _twice(models)
    if wrong:
        raise NvidiaError(" ".join(wrong))
    return models


def _wrong(model):
    if model.source != "path" and not REPOSITORY.fullmatch(model.name):
        yield "that is no name of a model on a hub; give OWNER/NAME, or a path that begins with /."
    if not model.path.startswith("/") or posixpath.normpath(model.path) != model.path or model.path.count("/") < 2:
        yield f"path is {model.path}; give a whole path such as /srv/models/qwen, without . and .. in it."
    if model.revision is not None and not REVISION.fullmatch(model.revision):
        yield f"revision is {model.revision}; give a commit, a tag or a branch."
    if model.source == "path" and (model.revision or model.files):
        yield "revision and files are for models that are fetched, and this one is a path. Leave them out."
    for file, text in model.sha256.items():
        if not re.fullmatch(r"[0-9a-f]{64}", text):
            yield f"sha256 of {file} must be 64 hexadecimal digits."
        if file.startswith("/") or ".." in file.split("/"):
            yield f"sha256 names {file}; give the file's path below the model's folder."
    for pattern in model.files:
        if not PATTERN.fullmatch(pattern):
            yield f"files holds {pattern!r}; give patterns such as *.safetensors."


def _twice(models):
    names = [model.name for model in models]
    paths: dict = {}
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"Model {name} is listed twice; instances share one entry."
    for model in models:
        other = paths.setdefault(model.path, model)
        if other is not model and other.name != model.name:
            yield f"Models {other.name} and {model.name} have one path, {model.path}; give each its own."
