"""What RestrictSUIDSGID= and LockPersonality= of a unit have the kernel refuse, for a program without systemd.

`python3 system_call_filters.py NAME… -- PROGRAM ARGUMENT…` puts the filters of systemd's seccomp-util.c on itself and
becomes the program. For x86-64, where the numbers of the system calls are those of asm/unistd_64.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import NamedTuple

CALLS = {
    "open": 2, "mkdir": 83, "creat": 85, "chmod": 90, "fchmod": 91, "mknod": 133, "personality": 135, "openat": 257,
    "mkdirat": 258, "mknodat": 259, "fchmodat": 268, "openat2": 437, "fchmodat2": 452,
}  # fmt: skip
EPERM, ENOSYS, O_CREAT = 1, 38, 0o100
BITS = (0o4000, 0o2000)  # set user id, set group id
MODES = {
    "chmod": 1,
    "fchmod": 1,
    "fchmodat": 2,
    "fchmodat2": 2,
    "mkdir": 1,
    "mkdirat": 2,
    "mknod": 1,
    "mknodat": 2,
    "creat": 1,
}
OPENS = {"open": 1, "openat": 2}  # the argument with the flags; the mode is the next
UNCHANGED = 0xFFFFFFFF  # asks personality() for what it is

# linux/seccomp.h, linux/filter.h, linux/audit.h, linux/prctl.h
LOAD, AND, EQUAL, RETURN = 0x20, 0x54, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
X86_64 = 0xC000003E
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16


class Rule(NamedTuple):
    """A call is refused with ``error`` where all holds: (argument, mask, value, whether it must be so)."""

    call: str
    conditions: list[tuple[int, int, int, bool]]
    error: int = EPERM


def rules(names: list[str]) -> list[Rule]:
    """What the named lines of a unit refuse."""
    found = []
    if "LockPersonality" in names:
        now = ctypes.CDLL(None).personality(UNCHANGED)
        found.append(Rule("personality", [(0, UNCHANGED, now, False), (0, UNCHANGED, UNCHANGED, False)]))
    if "RestrictSUIDSGID" in names:
        for bit in BITS:
            found += [Rule(call, [(at, bit, bit, True)]) for call, at in MODES.items()]
            made = [(call, (at, O_CREAT, O_CREAT, True), (at + 1, bit, bit, True)) for call, at in OPENS.items()]
            found += [Rule(call, conditions) for call, *conditions in made]
        found.append(Rule("openat2", [], ENOSYS))  # its arguments lie where a filter cannot look
    return found


def program(names: list[str]) -> bytes:
    """The filter in the kernel's bytes."""
    lines = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, X86_64), (RETURN, 0, 0, ALLOW)]
    for call, conditions, error in rules(names):
        rest = 3 * len(conditions) + 1  # lines until the next rule, seen from behind the first two
        lines += [(LOAD, 0, 0, NUMBER), (EQUAL, 0, rest, CALLS[call])]
        for at, mask, value, is_so in conditions:
            rest -= 3
            jumps = (0, rest) if is_so else (rest, 0)
            lines += [(LOAD, 0, 0, ARGUMENTS + 8 * at), (AND, 0, 0, mask), (EQUAL, *jumps, value)]
        lines.append((RETURN, 0, 0, ERRNO | error))
    lines.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


def put_on(names: list[str]) -> None:
    """:raises OSError: when the kernel does not take it; an unprivileged process must have no_new_privs"""
    code = ctypes.create_string_buffer(program(names))
    filters = struct.pack("<HxxxxxxQ", len(code) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel does not take the filter")


if __name__ == "__main__":
    border = sys.argv.index("--")
    put_on(sys.argv[1:border])
    os.execvp(sys.argv[border + 1], sys.argv[border + 1 :])
