# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the package manager free to work, and did it finish what it began?"""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils._preflight_findings import finding, listed

LOCKS = {
    "apt": (
        "/var/lib/dpkg/lock-frontend",
        "/var/lib/dpkg/lock",
        "/var/lib/apt/lists/lock",
        "/var/cache/apt/archives/lock",
    ),
    "dnf": ("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock", "/var/cache/dnf/metadata_lock.pid"),
    "zypper": ("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock"),
    "pacman": (),
}
PACMAN = "/var/lib/pacman/db.lck"
JOURNAL = "/var/lib/dpkg/updates"
UNFINISHED = {
    "unpacked": "dpkg --configure -a",
    "half-configured": "dpkg --configure -a",
    "half-installed": "apt-get install --reinstall {0}",
}


def holders(system, manager):
    """[(path, pid, command)] of the processes that hold a lock of the package manager; each process once."""
    found: dict = {}
    for path in LOCKS.get(manager, ()):
        pid, command = _apt.lock_holder(system, f"lock {path}")
        if pid is not None and pid not in found:
            found[pid] = (path, pid, command)
    return list(found.values())


def lock_findings(locks, lock_timeout):
    """A warning for a lock that the roles wait for, an error where they may not wait."""
    severity = "warning" if lock_timeout else "error"
    way = (
        f"The roles wait for it, {lock_timeout} s at most: let it finish, or raise the role's lock_timeout."
        if lock_timeout
        else "The roles may not wait for it (lock_timeout is 0): let it finish and run again, or set a lock_timeout."
    )
    return [
        finding(
            severity,
            "package_manager_locked",
            f"The package manager is in use: process {pid} ({command or 'unknown command'}) holds {path}. {way}",
            "/proc/locks",
        )
        for path, pid, command in locks
    ]


def pacman_findings(system):
    """pacman's lock is a file; nobody can tell whether the pacman that made it still lives."""
    if not system.exists(PACMAN):
        return []
    text = (
        f"pacman's lock {PACMAN} exists: another pacman is working, or one was killed. Wait for it, and remove the file"
        " when no pacman runs."
    )
    return [finding("error", "package_manager_locked", text, PACMAN)]


def interrupted_findings(packages, journal, is_mended):
    """Errors for packages that an interrupted run left half installed.

    :param packages: {name: Package}; :param journal: names in dpkg's folder of updates
    :param is_mended: says of a Package whether the roles finish it by themselves
    """
    broken = [package for package in packages.values() if package.status in UNFINISHED]
    findings = []
    for status, command in UNFINISHED.items():
        names = sorted(package.name for package in broken if package.status == status and not is_mended(package))
        if names:
            text = (
                f"dpkg was interrupted and left {listed(names)} {status}: the next transaction would trip over it."
                f" Run `{command.format(' '.join(names))}` on the host, and read what it says if it fails."
            )
            findings.append(finding("error", "packages_interrupted", text, "/var/lib/dpkg/status"))
    mended = sorted(package.name for package in broken if is_mended(package))
    if mended:
        text = (
            f"dpkg was interrupted and left {listed(mended)} unfinished: the role finishes that first, with `dpkg"
            " --configure -a`. Nothing is left to do."
        )
        findings.append(finding("warning", "packages_finished_first", text, "/var/lib/dpkg/status"))
    if any(name.isdigit() for name in journal) and not findings:
        text = (
            "dpkg was interrupted in the middle of a change, and apt refuses to work until that is mended. Run `dpkg"
            " --configure -a` on the host."
        )
        findings.append(finding("error", "packages_interrupted", text, JOURNAL))
    return findings


def in_progress_findings(packages):
    """A warning for unfinished packages while somebody is at work on them: that may be as it should."""
    names = sorted(package.name for package in packages.values() if package.status in UNFINISHED)
    if not names:
        return []
    text = (
        f"{listed(names)} are not fully installed while another process works with the package manager, which is normal"
        " as long as it does. If they are still so when it has finished, run `dpkg --configure -a` on the host."
    )
    return [finding("warning", "packages_in_progress", text, "/var/lib/dpkg/status")]


def check(system, params, manager, packages):
    """Findings about locks and interrupted runs."""
    if manager == "pacman":
        return pacman_findings(system)
    locks = holders(system, manager)
    if locks or manager != "apt":
        return lock_findings(locks, params["lock_timeout"]) + in_progress_findings(packages)
    asked = {name.split("=")[0] for row in params["transactions"] or [] for name in row["packages"]}

    def is_mended(package):
        has_driver = any(row["driver"] for row in params["transactions"] or [])
        is_ours = package.name in asked or (has_driver and package.name in driver)
        return is_ours and package.status != "half-installed"

    driver = set(_dpkg.closure(packages))
    return interrupted_findings(packages, system.entries(JOURNAL), is_mended)
