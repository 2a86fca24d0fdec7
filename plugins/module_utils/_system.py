# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only code of the target side that touches the machine; everything else is given one of these."""

from __future__ import annotations

import os
import stat
import tempfile
from collections import namedtuple
from contextlib import contextmanager, suppress

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apart as apart


class NvidiaError(Exception):
    """A failure that we can explain: its text is the whole message for the user (what, why, what to do next)."""


class CommandTimeout(NvidiaError):
    """A command did not end in time; ``argv`` and ``seconds`` say which and when."""

    def __init__(self, argv, seconds):
        self.argv, self.seconds = argv, seconds
        super().__init__(f"{' '.join(argv)} did not end within {seconds:g} s and was stopped.")


Result = namedtuple("Result", "rc out err")

_TIMEOUT_RC = 124


@contextmanager
def _explained(verb, path):
    """Turns the operating system's refusal into a sentence."""
    try:
        yield
    except OSError as exc:
        reason = exc.strerror or exc
        raise NvidiaError(
            f"Cannot {verb} {path}: {reason}. Run as root (become: true), on a file system that can be written."
        ) from exc


def _at_once(path, flags):
    return os.open(path, flags | os.O_NONBLOCK)


class ModuleSystem:
    """The machine, seen through an AnsibleModule."""

    def __init__(self, module):
        self._module = module

    def run(self, argv, timeout=30, data=None, env=None):
        """Runs *argv* (a list, never a shell) in the C locale.

        :returns: Result(rc, out, err) with text; rc 127 when there is no such program
        :raises CommandTimeout: after *timeout* seconds; the program has been killed
        """
        program = self.which(argv[0])
        if program is None:
            return Result(127, "", f"{argv[0]}: not found")
        limiter = self.which("timeout")
        limited = [limiter, "--kill-after=5", f"{timeout:g}"] if limiter and timeout else []
        rc, out, err = self._module.run_command(
            [*limited, program, *argv[1:]],
            data=data,
            environ_update={"LC_ALL": "C", "LANGUAGE": "C", **(env or {})},
            handle_exceptions=False,
            errors="replace",
            expand_user_and_vars=False,
        )
        if limited and rc in (_TIMEOUT_RC, 137):
            raise CommandTimeout(argv, timeout)
        return Result(rc, out, err)

    def begin(self, work, seconds):
        """Begins *work*, a function that gives a text, in a process of its own, and does not wait; see _apart."""
        return apart.begin(work, seconds)

    def which(self, name):
        """Path of a program, or None; looks in the sbin folders as well."""
        if "/" in name:
            return name if os.access(name, os.X_OK) else None
        return self._module.get_bin_path(name)

    def read(self, path):
        """Text of a file, or None when it is not there or cannot be read."""
        data = self.read_bytes(path)
        return None if data is None else data.decode("utf-8", "replace")

    def read_bytes(self, path, limit=None):
        """Bytes of a file (the first *limit* of them), or None; what is no regular file is not waited for."""
        try:
            with open(path, "rb", opener=_at_once) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return None
                return file.read() if limit is None else file.read(limit)
        except OSError:
            return None

    def entries(self, path):
        """Sorted names in a folder; an absent folder has none."""
        try:
            return sorted(os.listdir(path))
        except OSError:
            return []

    def exists(self, path):
        return os.path.lexists(path)

    def link(self, path):
        """Where a symbolic link points, as written, or None."""
        try:
            return os.readlink(path)
        except OSError:
            return None

    def real(self, path):
        return os.path.realpath(path)

    def modified(self, path):
        """Time of the last change in seconds since the epoch, or None."""
        try:
            return os.stat(path).st_mtime
        except OSError:
            return None

    def stat(self, path):
        """(mode, uid, gid) of a file, or None; mode is the permission bits alone."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        return found.st_mode & 0o7777, found.st_uid, found.st_gid

    def folder(self, path, mode=0o755):
        """Makes a folder, where it is not there, and gives it exactly this mode."""
        with _explained("make", path):
            os.makedirs(path, mode=mode, exist_ok=True)
            os.chmod(path, mode)

    def write(self, path, text, mode=0o644):
        """Writes a file (text or bytes) in one step: a reader sees the old content or the new one, never a part.

        It belongs to the user and the group that the module runs as, also in a folder that hands on its own group.
        """
        folder = os.path.dirname(path)
        with _explained("write", path):
            os.makedirs(folder, mode=0o755, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".gpufleet-", dir=folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(text if isinstance(text, bytes) else text.encode("utf-8"))
                    if os.fstat(file.fileno()).st_gid != os.getegid():
                        os.fchown(file.fileno(), -1, os.getegid())
                    os.fchmod(file.fileno(), mode)
                    os.fsync(file.fileno())
                os.rename(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise

    def own(self, path, user, group):
        """Gives a file or folder to a user and a group, by their numbers, and leaves it as it is otherwise."""
        with _explained("change the owner of", path):
            os.chown(path, user, group)

    def remove(self, path):
        """Removes a file or link; one that is not there is fine."""
        with _explained("remove", path), suppress(FileNotFoundError):
            os.unlink(path)

    def symlink(self, target, path):
        with _explained("link", path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self.remove(path)
            os.symlink(target, path)
