# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host as the restore program sees it: files, programs, the journal and the clock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import namedtuple

Result = namedtuple("Result", "rc out err")


class Machine:
    """The host, or with a root a tree of files that stands in for it."""

    def __init__(self, root=""):
        self.root = root.rstrip("/")

    def here(self, path):
        return self.root + path if path.startswith("/") else path

    def run(self, argv, timeout=30):
        words = [self.here(argv[0]), *argv[1:]]
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            told = subprocess.run(words, capture_output=True, timeout=timeout, env=environment, check=False)
        except (FileNotFoundError, PermissionError):
            return Result(127, "", f"{argv[0]}: not found")
        except subprocess.TimeoutExpired:
            return Result(124, "", f"it did not end within {timeout} seconds")
        return Result(told.returncode, told.stdout.decode("utf-8", "replace"), told.stderr.decode("utf-8", "replace"))

    def read(self, path):
        try:
            with open(self.here(path), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return None

    def poke(self, path, text):
        """Writes one value as the kernel wants it, in one piece; its refusal as a text, or None."""
        try:
            handle = os.open(self.here(path), os.O_WRONLY)
            try:
                os.write(handle, text.encode())
            finally:
                os.close(handle)
        except OSError as exc:
            return exc.strerror or str(exc)
        return None

    def entries(self, path):
        try:
            return sorted(os.listdir(self.here(path)))
        except OSError:
            return []

    def exists(self, path):
        return os.path.lexists(self.here(path))

    def link(self, path):
        try:
            return os.readlink(self.here(path))
        except OSError:
            return None

    def real(self, path):
        found = os.path.realpath(self.here(path))
        return found[len(os.path.realpath(self.root)) :] if self.root else found


class Journal:
    """A line for each step, marked for systemd where it is a failure."""

    def __init__(self, out=None):
        self.out, self.failures = out or sys.stdout, 0
        self.marks = "JOURNAL_STREAM" in os.environ

    def say(self, text):
        self.out.write(f"{text}\n")
        self.out.flush()

    def fail(self, text):
        self.failures += 1
        self.say(f"<3>{text}" if self.marks else text)


class Clock:
    now = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)
