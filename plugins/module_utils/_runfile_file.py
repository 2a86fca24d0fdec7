# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gets the file onto the host and refuses a wrong one: by its checksum, by what it says of itself, by its own check."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_header as header
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_kept as kept
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# path on the host; runfile: what it says of itself, as _runfile_header.Runfile; size in KiB
File = namedtuple("File", "path runfile size")

HASHING = 900
SELF_CHECK = 1800


def sha256(system, path):
    """Checksum of a file, or None when there is none."""
    if not system.exists(path):
        return None
    told = system.run(["sha256sum", path], timeout=HASHING)
    if told.rc != 0:
        raise NvidiaError(f"{path} cannot be read: {told.err.strip()}. Run as root (become: true).")
    return told.out.split()[0].lstrip("\\")


def is_here(system, asked):
    """Whether the right file lies in this module's own folder."""
    return sha256(system, kept.path_for(asked.name)) == asked.sha256


def obtain(system, asked, fetch, transferred, timeout):
    """Path of the file on the host, with the right checksum.

    :param fetch: callable(address, path, timeout) that downloads
    :param transferred: path to which the controller's file was copied, or None
    """
    if asked.origin == "host":
        refuse_checksum(system, asked, asked.src)
        return asked.src
    path = kept.path_for(asked.name)
    if is_here(system, asked):
        return path
    kept.make_folder(system)
    partial = f"{path}.partial"
    try:
        if asked.origin == "url":
            fetch(asked.src, partial, timeout)
        elif system.run(["mv", "-f", transferred, partial], timeout=timeout).rc != 0:
            raise NvidiaError(f"The transferred file could not be moved to {kept.FOLDER}. Is there room?")
        refuse_checksum(system, asked, partial)
        system.run(["mv", "-f", partial, path], timeout=60)
    finally:
        system.remove(partial)
    return path


def refuse_checksum(system, asked, path):
    found = sha256(system, path)
    if found is None:
        raise NvidiaError(
            f"There is no file {path} on the host. Put it there, or leave remote_src out for a file here."
        )
    if found == asked.sha256:
        return
    data = system.read_bytes(path, header.HEADER_BYTES) or b""
    what = "" if header.parse_header(data) else f" Look at it: {header.describe_other(data)}."
    raise NvidiaError(
        f"{asked.name} is not the file that was asked for: its SHA-256 is {found}, and sha256 is {asked.sha256}. It "
        f"may be truncated ({size(system, path)} KiB) or another version. It was not run, and nothing was "
        f"changed.{what}"
    )


def examine(system, asked, path):
    """The file, as File, once it has told that it is what was asked for and is whole.

    :raises NvidiaError: before anything of it has been run but its own check
    """
    data = system.read_bytes(path, header.HEADER_BYTES) or b""
    told = header.parse_header(data)
    if told is None:
        raise NvidiaError(
            f"{asked.name} is no .run file of NVIDIA's: {header.describe_other(data)}. It was not run, and nothing "
            "was changed."
        )
    machine = system.run(["uname", "-m"]).out.strip()
    wrong = header.mismatch(told, asked.kind, asked.version, machine, asked.name)
    if wrong:
        raise NvidiaError(f"{wrong} It was not run, and nothing was changed.")
    checked = system.run(["sh", path, "--check"], timeout=SELF_CHECK)
    if checked.rc != 0:
        said = " ".join((checked.out + " " + checked.err).split())[-300:]
        raise NvidiaError(
            f"{asked.name} has the SHA-256 that was given and yet fails its own --check: {said} The file was damaged "
            "before the checksum was taken: get it anew from NVIDIA. It was not run, and nothing was changed."
        )
    return File(path, told, size(system, path))


def size(system, path):
    """KiB of a file; 0 when it cannot be told."""
    told = system.run(["stat", "-L", "-c", "%s", path])
    return int(told.out) // 1024 if told.rc == 0 and told.out.strip().isdigit() else 0


def refuse_without_room(system, file, tmpdir, target):
    """Refuses when there is no room to unpack and to install, or when nothing may be run in *tmpdir*."""
    needed = file.runfile.unpacked or file.size * 3
    rooms: dict = {}
    for path, use in ((tmpdir, "unpack"), (target, "install")):
        mount, free = room(system, path)
        if mount is None:
            continue
        before = rooms.get(mount, (free, 0, path, []))
        rooms[mount] = (free, before[1] + needed, before[2], [*before[3], use])
    for mount, (free, need, path, uses) in rooms.items():
        if free < need:
            raise NvidiaError(
                f"There is no room to {' and '.join(uses)} {file.path.rsplit('/', 1)[-1]}: {path} is on {mount}, "
                f"which has {free // 1024} MiB free, and some {need // 1024 + 1} MiB are needed. Make room, or set "
                "tmpdir to a folder on another file system. Nothing was changed."
            )
    mounted = system.run(["findmnt", "-n", "-o", "OPTIONS", "-T", tmpdir])
    if mounted.rc == 0 and "noexec" in mounted.out.strip().split(","):
        raise NvidiaError(
            f"{tmpdir} is mounted noexec, so the installer cannot run there. Set tmpdir to another folder. Nothing "
            "was changed."
        )


def room(system, path):
    """(mount point, free KiB) of the file system of a path that need not be there yet; (None, 0): not told."""
    while path != "/" and not system.exists(path):
        path = path.rsplit("/", 1)[0] or "/"
    lines = system.run(["df", "-Pk", path]).out.splitlines()
    fields = lines[-1].split(None, 5) if len(lines) > 1 else []
    return (fields[5], int(fields[3])) if len(fields) == 6 and fields[3].isdigit() else (None, 0)
