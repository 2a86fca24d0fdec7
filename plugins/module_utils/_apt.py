# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt's commands, what they print, and waiting for its locks."""

from __future__ import annotations

import re
import time
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_SUSPEND": "1",
}
PREFERENCES = "/run/gpufleet-nvidia.pref"

# Questions that would stop an unattended installation, asked only by these packages.
PRESEEDS = {
    "nvidia-legacy-check": (
        "nvidia-legacy-check nvidia-driver/check-for-unsupported-gpu boolean false",
        "nvidia-legacy-check nvidia-driver/install-even-if-unsupported-gpu-exists boolean true",
    ),
    "nvidia-installer-cleanup": (
        "nvidia-installer-cleanup nvidia-installer-cleanup/uninstall-nvidia-installer boolean true",
        "nvidia-installer-cleanup nvidia-installer-cleanup/delete-nvidia-installer boolean true",
        "nvidia-installer-cleanup nvidia-installer-cleanup/remove-conflicting-libraries boolean true",
    ),
}

NOISE = re.compile(
    r"(Reading |Building dep|Some packages could not|requested an imp|distribution that|or been moved|The following inf"
    r"|Need to get|Get:|Selecting prev|Preparing to|Unpacking |\(Reading )"
)

# installs: {name: (old version or None, new version)}; removes: {name: version}
Simulation = namedtuple("Simulation", "installs removes")


def apt_get(*words, preferences=False, lock_timeout=300):
    """argv of one apt-get call that never asks, keeps configuration files and waits for dpkg's lock (seconds)."""
    argv = ["apt-get", "-y", "-q"]
    for option in (
        f"DPkg::Lock::Timeout={lock_timeout}",
        "DPkg::Options::=--force-confold",
        "APT::Install-Recommends=false",
    ):
        argv += ["-o", option]
    if preferences:
        argv += ["-o", "Dir::Etc::Preferences=" + PREFERENCES]
    return argv + list(words)


def preferences_text(keep, fit, existing=None):
    """apt preferences for one transaction.

    keep: {name: exact version} of packages that must stay as they are; fit: the upstream version, or the branch (its
    first number), that every package that exists in it must take, or None; existing: the machine's own
    /etc/apt/preferences, which still counts.
    """
    stanzas = [
        f"Package: {name}\nPin: version {version}\nPin-Priority: 1001\n"
        for name, version in sorted((keep or {}).items())
    ]
    if fit:
        end = r"\." if fit.isdigit() else "(-|$)"
        pattern = re.escape(fit).replace("\\-", "-") + end
        stanzas.append(f"Package: ?*\nPin: version /^([0-9]+:)?{pattern}/\nPin-Priority: 1001\n")
    if existing:
        stanzas.append(existing.strip() + "\n")
    return "\n".join(stanzas)


def parse_simulation(text):
    """Simulation from the output of `apt-get -s`."""
    installs, removes = {}, {}
    for line in text.splitlines():
        match = re.match(r"(Inst|Remv|Purg) (\S+)(?: \[([^\]]*)\])?(?: \((\S+))?", line)
        if not match:
            continue
        action, name, old, new = match.groups()
        if action == "Inst":
            installs[name] = (old, new)
        else:
            removes[name] = old
    return Simulation(installs, {name: old for name, old in removes.items() if name not in installs})


def parse_madison(text):
    """{name: [versions, newest first]} from `apt-cache madison NAMES`; an unknown name is missing."""
    versions: dict = {}
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 3 and fields[2] and not fields[2].endswith("Sources"):
            known = versions.setdefault(fields[0], [])
            if fields[1] not in known:
                known.append(fields[1])
    return versions


def parse_sources(text):
    """{name: source package} from `apt-cache show NAME=VERSION ...`."""
    sources: dict = {}
    name = None
    for line in text.splitlines():
        key, _colon, value = line.partition(": ")
        if key == "Package":
            name = value.strip()
            sources.setdefault(name, name)
        elif key == "Source" and name:
            sources[name] = value.split()[0]
    return sources


def is_locked(text):
    """True when apt or dpkg gave up because another process holds one of their locks."""
    return bool(
        re.search(r"Could not get lock|Unable to acquire the dpkg|Unable to lock|lock (was|is) locked by", text)
    )


def is_stale(text):
    """True when the archive no longer has what the local index promises."""
    return bool(re.search(r"404 +Not Found|Hash Sum mismatch|Unable to fetch some archives", text))


def excerpt(text, limit=20):
    """The decisive lines of apt's output: its errors first, then what dpkg said last."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not NOISE.match(line)]
    errors = [
        line for line in lines if re.match(r"(E:|dpkg: error|Err:|W: .*(fail|could not)|.* (unmet|Depends:))", line)
    ]
    tail = [line for line in lines[-limit:] if line not in errors]
    return "\n".join((errors[:limit] + tail)[:limit])


def lock_path(text):
    """Path of the lock that apt complains about, or dpkg's own."""
    match = re.search(r"lock (/\S+?)[.,]?(?:\s|$)", text)
    return match.group(1) if match else "/var/lib/dpkg/lock-frontend"


def lock_holder(system, text):
    """(pid, command) of the process that holds the lock in apt's message; (None, None) when nobody is seen."""
    path = lock_path(text)
    named = re.search(r"(?:held by process|process with pid) (\d+)", text)
    pids = [named.group(1)] if named else []
    pids += re.findall(r"^\d+: \S+\s+\S+\s+\S+\s+(\d+) ", system.read("/proc/locks") or "", re.M)
    for pid in pids:
        fds = system.entries(f"/proc/{pid}/fd")
        if (named and pid == named.group(1)) or any(system.link(f"/proc/{pid}/fd/{fd}") == path for fd in fds):
            command = (system.read(f"/proc/{pid}/cmdline") or "").replace("\0", " ").strip()
            return int(pid), command or None
    return None, None


def lock_sentence(system, text, waited):
    """Why we stopped waiting: which lock, held by whom, and what to do."""
    pid, command = lock_holder(system, text)
    who = "a process that is not visible" if pid is None else f"process {pid} ({command or 'unknown command'})"
    return (
        f"The package manager's lock {lock_path(text)} was still held by {who} after {waited} s. Let that process "
        "finish (unattended-upgrades and cloud-init do this after a boot) and run again, or raise lock_timeout."
    )


def run_waiting(system, argv, timeout, lock_timeout, data=None, clock=time.monotonic, sleep=time.sleep):
    """Run argv; while a package lock is held by somebody else try again, for lock_timeout seconds at most.

    apt waits for dpkg's lock by itself but not for those of its lists and its archives, hence this loop.
    """
    begin = clock()
    while True:
        result = system.run(argv, timeout=timeout, env=ENVIRONMENT, data=data)
        text = result.err + result.out
        if result.rc == 0 or not is_locked(text):
            return result
        if clock() - begin >= lock_timeout:
            raise NvidiaError(lock_sentence(system, text, lock_timeout))
        sleep(2)


def checked(system, params, argv, what):
    """run_waiting() with a module's time-outs; a failure ends with the decisive lines.

    :raises NvidiaError: *what*, the exit status and apt's own reasons
    """
    result = run_waiting(system, argv, params["timeout"], params["lock_timeout"])
    if result.rc != 0:
        raise NvidiaError(f"{what} (exit status {result.rc}).\n{excerpt(result.out + chr(10) + result.err)}")
    return result
