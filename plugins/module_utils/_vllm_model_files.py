# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a model's folder: which to have, how much has arrived, their checksums, room for them.

Part of the program that fetches (`_vllm_model_fetch`), so it keeps to the standard library.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import shutil
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


def present(folder):
    """{name: size} of the files below a folder that are the model's own."""
    found = {}
    for base, _folders, names in os.walk(folder, followlinks=True):
        for name in names:
            path = os.path.join(base, name)
            short = os.path.relpath(path, folder)
            if not short.startswith(OWN) and not short.endswith(OWN[-1]) and os.path.isfile(path):
                found[short] = os.path.getsize(path)
    return found


def arrived(folder, fresh=False):
    """Bytes below a folder, half files of the libraries among them.

    :param fresh: without files that the folder shares with the one that an update is for
    """
    total = 0
    for base, _folders, names in os.walk(folder):
        for name in names:
            try:
                found = os.stat(os.path.join(base, name))
            except OSError:
                continue
            total += found.st_blocks * 512 if found.st_nlink == 1 or not fresh else 0
    return total


def sweep(folder):
    """Removes half files that no later process goes on with: newer libraries give each process its own name."""
    for base, _folders, names in os.walk(os.path.join(folder, ".cache")):
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
        before, then = arrived(self.told["folder"], fresh=True), time.monotonic()
        while not self.over.wait(PERIOD):
            now, here = time.monotonic(), arrived(self.told["folder"], fresh=True)
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
