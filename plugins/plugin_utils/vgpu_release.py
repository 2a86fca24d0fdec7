# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vGPU software releases: which one a guest's driver belongs to, and which guests a host of another release takes."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.versions import version_key

Findings = list[dict[str, str]]
# From this release on a host of a long-term branch takes guests of the long-term branch before it.
LONG_TERM_SINCE = 19


class Release(NamedTuple):
    """``line`` is 19 of 19.2; ``name`` is None where only the branch of a driver is known to belong to the line."""

    line: str
    name: str | None

    def __str__(self) -> str:
        return f"vGPU software {self.name or self.line}"


def release_named(name: str, catalogue: Catalogue) -> Release | None:
    """The release that people call ``19.2`` or ``19``; None: not in the catalogue."""
    line = name.split(".", maxsplit=1)[0]
    if line not in catalogue.vgpu:
        return None
    return Release(line, name if "." in name else None)


def release_of_driver(version: str, catalogue: Catalogue) -> Release | None:
    """The release whose Linux guest driver this is, or else the line of its branch; None: no vGPU release has it."""
    for line, row in catalogue.vgpu.items():
        if str(row["branch"]) == version.split(".", maxsplit=1)[0]:
            names = [name for name, pair in row["releases"].items() if pair.get("guest") == version]
            return Release(line, max(names, key=version_key) if names else None)
    return None


def takes(host: Release, guest: Release, catalogue: Catalogue) -> str:
    """``same``, ``same_line``, ``previous`` or ``previous_long_term``: why a host takes the guest; ``no`` otherwise."""
    lines = sorted(catalogue.vgpu, key=int)
    if host.line == guest.line:
        same = _drivers(host, catalogue) == _drivers(guest, catalogue) or host.name == guest.name
        return "same" if same or host.name is None or guest.name is None else "same_line"
    if lines.index(guest.line) + 1 == lines.index(host.line):
        return "previous"
    long_term = [line for line in lines if catalogue.vgpu[line]["kind"] == "LTSB"]
    both = host.line in long_term and guest.line in long_term and int(host.line) >= LONG_TERM_SINCE
    if both and long_term.index(guest.line) + 1 == long_term.index(host.line):
        return "previous_long_term"
    return "no"


def _drivers(release: Release, catalogue: Catalogue) -> object:
    return catalogue.vgpu[release.line]["releases"].get(release.name, release)


def host_findings(host_release: str | None, version: str | None, catalogue: Catalogue) -> Findings:
    """Does the host take this guest driver? Not "the same number": within a release the two numbers usually differ.

    :param host_release: the release of the host's vGPU manager, such as 19.2; None: nobody said
    :param version: of the guest's driver; None: not known yet
    """
    if host_release is None or version is None:
        return []
    host, guest = release_named(host_release, catalogue), release_of_driver(version, catalogue)
    if host is None:
        text = (
            f"vgpu_guest_host_release is {host_release}, and no such vGPU software release is known: those of"
            f" {listed(sorted(catalogue.vgpu, key=int))} are. Ask for the one that the host's vGPU manager belongs to."
        )
        return [error("host_release_unknown", text)]
    source = catalogue.cite(catalogue.vgpu[host.line]["src"])
    if guest is None:
        text = (
            f"No vGPU software release is known to have the guest driver {version}, so nobody can say whether a host"
            f" with {host} takes it. Compare it with the release notes of that release."
        )
        return [warning("guest_release_unknown", text, source)]
    verdict = takes(host, guest, catalogue)
    if verdict == "same":
        return []
    if verdict == "same_line":
        text = (
            f"The host has {host} and the guest driver {version} is of {guest}: releases of one branch usually work"
            " together, and NVIDIA's newest release notes name the same release only. Bring both to one release."
        )
        return [warning("host_guest_differ", text, source)]
    if verdict != "no":
        text = f"The host's {host} takes guests of {guest}; what both can do is what the older one can."
        return [note("host_guest_older", text, source)]
    which = "newer than the host's" if int(guest.line) > int(host.line) else "too old for the host's"
    text = f"The guest driver {version} is of {guest}, which is {which} {host}: the vGPU would not load."
    return [error("host_guest_mismatch", f"{text} {_suggestion(host, catalogue)}", source)]


def _suggestion(host: Release, catalogue: Catalogue) -> str:
    pair = catalogue.vgpu[host.line]["releases"].get(host.name) or {}
    if pair.get("guest"):
        return f"Take the guest driver {pair['guest']}, which belongs to {host}."
    return f"Take a guest driver of branch {catalogue.vgpu[host.line]['branch']}."
