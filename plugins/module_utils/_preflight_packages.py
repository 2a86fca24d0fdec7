# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles will ask apt for: is it there, and would apt do nothing else? Decided as the roles do."""

from __future__ import annotations

import time
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _guarded_packages as beside
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _guarded_packages_plan as guard
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_simulate as ask
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_index as index
from ansible_collections.gpufleet.nvidia.plugins.module_utils._preflight_findings import finding, listed
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

SIMULATED = "apt-get --simulate"

# findings: [finding]; simulation: what apt would do, or None where it was not asked
Outcome = namedtuple("Outcome", "findings simulation")


def check(system, params, packages, now=time.time):
    """(findings, {(transaction, part): MiB}) of all transactions."""
    findings, sizes = [], {}
    age = ask.index_age(system, now())
    for row in params["transactions"] or []:
        unsure = index.doubt(system, row["sources"], age, params["index_max_age"])
        outcome = (driver_outcome if row["driver"] else beside_outcome)(system, row, packages, unsure)
        findings += outcome.findings
        if outcome.simulation:
            room = index.room(system, outcome.simulation)
            sizes.update({(row["name"], part): amount for part, amount in room.items()})
    return findings, sizes


def split(simulation):
    """(what touches kernel images, everything else) of a simulation."""

    def part(wanted):
        is_kernel = {n: bool(decide.KERNEL_IMAGE.fullmatch(n.split(":", 1)[0])) for n in all_names}
        return _apt.Simulation(
            {name: pair for name, pair in simulation.installs.items() if is_kernel[name] is wanted},
            {name: old for name, old in simulation.removes.items() if is_kernel[name] is wanted},
        )

    all_names = [*simulation.installs, *simulation.removes]
    return part(True), part(False)


def refused(code, sentences):
    return [finding("error", code, text, SIMULATED) for text in sentences]


def driver_outcome(system, row, packages, unsure):
    """What stands between the host and the driver's packages, as Outcome."""
    asked, headers = row["packages"], row["header_packages"]
    version = decide.goal(packages, row["version"], row["branch"], row["upgrade"])
    conflicts = decide.conflicting(packages, row["remove"], [*asked, *headers])
    absent = decide.missing(packages, [*asked, *headers])
    outdated = bool(version) and decide.needs_versions(packages, asked, version)
    if not (absent or conflicts or row["upgrade"] or outdated):
        return Outcome(kernel_findings(system, row, None), None)
    names = list(dict.fromkeys([*asked, *headers, *_dpkg.closure(packages)]))
    available = ask.available_versions(system, names)
    unknown = [name for name in absent if name not in available]
    findings = unknown_findings(system, unknown, headers, unsure)
    blocked = decide.version_blocker(asked, version, available) if outdated else None
    if blocked and any(name in available for name in asked):
        findings.append(index.missing_finding("version_unavailable", blocked, f"driver {version}", unsure))
    if blocked or any(name in asked for name in unknown):
        return Outcome(findings + kernel_findings(system, row, None), None)
    known = [name for name in headers if name not in unknown]
    request = decide.request(packages, asked, known, version, row["upgrade"], available)
    try:
        simulation = ask.simulate(system, request, ask.transaction_words(request, conflicts))
    except NvidiaError as exc:
        return Outcome([*findings, *refused("transaction_impossible", [str(exc)])], None)
    kernels, others = split(simulation)
    removable, kernel_ok = [*row["remove"], *conflicts], row["kernel_change_ok"]
    findings += refused("transaction_moves_kernel", decide.refusals(kernels, packages, asked, removable, kernel_ok))
    findings += refused("transaction_removes", decide.refusals(others, packages, asked, removable, True))
    moves = decide.unasked_moves(simulation, packages, request)
    if moves:
        text = (
            f"The transaction for {row['name']} would change the version of {listed(moves)}, which nobody asked for."
            " Set nvidia_driver_upgrade_ok: true or nvidia_driver_version to allow it."
        )
        findings += refused("transaction_moves_driver", [text])
    return Outcome(findings + kernel_findings(system, row, simulation), simulation)


def unknown_findings(system, unknown, headers, unsure):
    """Findings for names that the index lacks: a kernel's headers for themselves, for they mean another thing."""
    findings = []
    packages = [name for name in unknown if name not in headers]
    if packages:
        text = decide.unknown_sentence(packages)
        findings.append(index.missing_finding("package_unknown", text, listed(packages), unsure))
    lost = [name for name in unknown if name in headers]
    if lost:
        text = index.headers_text(system, lost)
        findings.append(index.missing_finding("headers_unavailable", text, listed(lost), unsure))
    return findings


def kernel_findings(system, row, simulation):
    """An error for a kernel that is neither installed nor comes with the transaction: nothing is built for it."""
    present = set(system.entries("/lib/modules"))
    coming = {name.split("linux-image-", 1)[-1] for name in (simulation.installs if simulation else {})}
    strange = [kernel for kernel in row["kernels"] if kernel not in present | coming]
    if not strange:
        return []
    text = (
        f"Kernel {listed(strange)} is not installed (there is no /lib/modules/{strange[0]}), so no modules can be built"
        f" for it; installed are {listed(sorted(present))}. Name one of these in nvidia_driver_kernels."
    )
    return [finding("error", "kernel_not_installed", text, "/lib/modules")]


def beside_outcome(system, row, packages, unsure):
    """What stands between the host and packages beside the driver, as Outcome."""
    asked = guard.parse_asked([*row["packages"], *row["header_packages"]])
    names = list(asked) if row["upgrade"] else guard.pending(packages, asked)
    if not names:
        return Outcome([], None)
    available = ask.available_versions(system, names)
    unknown = [name for name in names if not available.get(name)]
    findings = unknown_findings(system, unknown, row["header_packages"], unsure)
    wrong = [name for name in names if name not in unknown and guard.blocker([name], asked, available)]
    for name in wrong:
        text = guard.blocker([name], asked, available)
        findings.append(index.missing_finding("version_unavailable", text, f"{name} {asked[name]}", unsure))
    known = [name for name in names if name not in (*unknown, *wrong)]
    if not known:
        return Outcome(findings, None)
    words = ["install", "--allow-change-held-packages", "--allow-downgrades", *guard.words(known, asked, available)]
    try:
        simulation = beside.run_simulation(system, packages, words)
    except NvidiaError as exc:
        # before the driver's own transaction apt may well find no way
        return Outcome(findings + ([] if row["after_driver"] else refused("transaction_impossible", [str(exc)])), None)
    ours = [*asked, *(name for name in packages if decide.matches(name, row["hold_also"]))]
    sources = ask.new_sources(system, simulation)
    kernels, others = split(simulation)
    findings += refused("transaction_moves_kernel", guard.refusals(kernels, packages, sources, ours, True))
    if not row["after_driver"]:
        sentences = guard.refusals(others, packages, sources, ours, row["driver_libraries_ok"])
        lost = guard.collateral(others, packages, ours)
        findings += refused("transaction_refused", [*sentences, *([lost] if lost else [])])
    return Outcome(findings, simulation)


def observe(system):
    """{name: Package}; None when dpkg cannot tell."""
    result = system.run(_dpkg.QUERY)
    return _dpkg.parse_packages(result.out) if result.rc == 0 else None
