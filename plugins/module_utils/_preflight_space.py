# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is there room for what will be written? Needs on one file system add up, whatever folders they are named by."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._preflight_findings import finding, listed

ROW = re.compile(r"\s(-?\d+)\s+(-?\d+)\s+(-?\d+)\s+(?:\d+%|-)\s+(/.*)$")
KIB, MIB = 1024, 1024 * 1024

# mount: where the file system is mounted; free: MiB that are left
FileSystem = namedtuple("FileSystem", "mount free")


def parse_df(text):
    """[FileSystem] in the order of the lines of `df -kP`; lines that are none are passed over."""
    rows = [ROW.search(line) for line in text.splitlines()]
    return [FileSystem(row.group(4), max(0, int(row.group(3))) // KIB) for row in rows if row]


def parse_read_only(text):
    """Mount points that /proc/self/mounts calls read-only; of several mounts on one point the last counts."""
    modes = {}
    for line in (text or "").splitlines():
        fields = line.split(" ")
        if len(fields) >= 4:
            point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), fields[1])
            modes[point] = "ro" in fields[3].split(",")
    return {point for point, is_read_only in modes.items() if is_read_only}


def existing(system, path):
    """The path, or the nearest folder above it that exists."""
    while path != "/" and not system.exists(path):
        path = path.rsplit("/", 1)[0] or "/"
    return path


def needed(row, sizes, largest):
    """MiB that a row stands for.

    :param sizes: {(transaction, part): MiB} as the package manager tells them; they count instead of an estimate
    :param largest: MiB of the largest of the row's files to be copied
    """
    return sizes.get((row.get("of"), row.get("part")), row["mib"]) + largest


def largest_copy(system, paths):
    """Size in MiB of the largest of the files, 0 when there are none."""
    paths = [path for path in paths or [] if system.exists(path)]
    if not paths:
        return 0
    result = system.run(["stat", "-L", "-c", "%s", *paths])
    return max([-(-int(word) // MIB) for word in result.out.split() if word.isdigit()], default=0)


def observe(system, paths):
    """{path: FileSystem}; a path whose file system does not answer is missing."""
    found = {}
    real = {path: existing(system, path) for path in dict.fromkeys(paths)}
    for path, folder in real.items():
        rows = parse_df(system.run(["df", "-kP", folder]).out)
        if rows:
            found[path] = rows[0]
    return found


def check(system, params, sizes):
    """(findings, [{mount, free_mib, needed_mib}]) for the rows of ``space``."""
    rows = params["space"] or []
    seen = observe(system, [row["path"] for row in rows])
    read_only = parse_read_only(system.read("/proc/self/mounts"))
    by_mount: dict = {}
    for row in rows:
        if row["path"] in seen:
            amount = needed(row, sizes, largest_copy(system, row.get("copy_of")))
            by_mount.setdefault(seen[row["path"]].mount, []).append((row, amount))
    free = {file_system.mount: file_system.free for file_system in seen.values()}
    findings, observed = [], []
    for mount, wants in sorted(by_mount.items()):
        findings += judge(mount, free[mount], wants, params["space_margin_mib"], mount in read_only)
        total = sum(amount for _row, amount in wants)
        observed.append({"mount": mount, "free_mib": free[mount], "needed_mib": total})
    lost = sorted({row["path"] for row in rows} - set(seen))
    if lost:
        text = (
            f"How much room there is for {listed(lost)} could not be read: df did not answer. Look at the file systems"
            " of the host by hand before you go on."
        )
        findings.append(finding("warning", "space_unknown", text, "df"))
    return findings, observed


def judge(mount, free, wants, margin, is_read_only):
    """Findings for one file system; :param wants: [(row, MiB)]"""
    total = sum(amount for _row, amount in wants)
    if is_read_only and total:
        text = (
            f"{mount} is mounted read-only, so nothing can be written there for"
            f" {listed([r['reason'] for r, _n in wants])}. Read the kernel log for errors of the disk, and mount it"
            f" writable (mount -o remount,rw {mount})."
        )
        return [finding("error", "space_read_only", text, "/proc/self/mounts")]
    if total + margin <= free or not total:
        return []
    parts = [f"{amount} MiB in {row['path']} for {row['reason']}" for row, amount in wants if amount]
    parts += [f"{margin} MiB that must stay free"] if margin else []
    advice = (
        "Remove kernels that are no longer booted (apt-get autoremove --purge, or the package manager's like), or"
        " enlarge it."
        if mount == "/boot"
        else "Remove what is not needed (apt-get clean empties the cache of packages), or enlarge it."
    )
    text = f"{mount} has {free} MiB free, and {total + margin} MiB are needed: {listed(parts)}. {advice}"
    return [finding("error", "space_short", text, "df")]
