# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All checks that need the machine, in one go: what one of them finds never keeps the others from looking."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_holders as holders
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_lock as lock
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_machine as machine
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_packages as packages
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_signing as signing
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_space as space
from ansible_collections.gpufleet.nvidia.plugins.module_utils._packages import find_manager
from ansible_collections.gpufleet.nvidia.plugins.module_utils._preflight_findings import finding
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

ORDER = ("error", "warning", "note")


class Report:
    """Collects findings; a check that cannot look is a finding itself."""

    def __init__(self):
        self.findings = []

    def take(self, what, action, instead=None):
        """action()'s result, or *instead* when it fails; the reason is reported."""
        try:
            return action()
        except NvidiaError as exc:
            text = f"The check of {what} could not be made, so the roles will find out by themselves: {exc}"
            self.findings.append(finding("warning", "check_failed", text, what))
            return instead

    def sorted(self):
        """The findings, the grave ones first, each text once."""
        unique = list({row["text"]: row for row in self.findings}.values())
        return sorted(unique, key=lambda row: (ORDER.index(row["severity"]), row["code"]))


def ensure(params, system, *, apply):
    """The result of the module `preflight`; *apply* makes no difference, for nothing is ever changed."""
    report = Report()
    manager = report.take("the package manager", lambda: find_manager(system, params["manager"]))
    known = look_at_packages(report, params, system, manager)
    sizes = known if manager == "apt" else {}
    findings, rooms = report.take("disk space", lambda: space.check(system, params, sizes), ([], []))
    report.findings += findings
    if params["holders"] != "ignored":
        report.findings += report.take("who holds the GPUs", lambda: holders.check(system, params), [])
    if params["signing"]:
        report.findings += report.take("the signing key", lambda: signing.check(system, params), [])
    if params["iommu"]:
        report.findings += report.take("the IOMMU", lambda: machine.iommu_findings(system), [])
    if params["clock"]:
        report.findings += report.take("the clock", lambda: machine.clock_findings(system), [])
    transactions: dict = {}
    for (name, part), amount in sorted(sizes.items()):
        transactions.setdefault(name, {})[f"{part}_mib"] = amount
    observations = {"manager": manager, "space": rooms, "transactions": transactions}
    return {"changed": False, "findings": report.sorted(), "observations": observations}


def look_at_packages(report, params, system, manager):
    """Reports on locks, interrupted runs and transactions; {(transaction, part): MiB} of the latter."""
    if manager != "apt":
        if params["lock"] and manager:
            report.findings += report.take("locks", lambda: lock.check(system, params, manager, {}), [])
        if params["transactions"] and manager:
            text = (
                f"What {manager} would do is not simulated here; the roles ask it right before they change anything,"
                " and refuse a transaction that would touch what is not theirs."
            )
            report.findings.append(finding("note", "transaction_unchecked", text, manager))
        return {}
    known = report.take("the installed packages", lambda: packages.observe(system))
    if known is None:
        text = "dpkg cannot tell which packages are installed. Run `dpkg --audit` on the host and mend what it names."
        report.findings.append(finding("error", "packages_unreadable", text, "dpkg-query"))
        return {}
    if params["lock"]:
        report.findings += report.take("locks", lambda: lock.check(system, params, manager, known), [])
    findings, sizes = report.take("the packages", lambda: packages.check(system, params, known), ([], {}))
    report.findings += findings
    return sizes
