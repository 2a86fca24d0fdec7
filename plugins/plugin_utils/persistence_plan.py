# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a host's GPUs initialised, and what has to change for it: decided from the facts alone."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import persistence_findings as findings
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import persistence_unit as unit_files
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_files import is_taken
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import listed, ordered
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.persistence_default import plan_disabled
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.persistence_seen import (
    Seen,
    daemon,
    expect,
    gpus_off,
    has_driver,
    is_loaded,
    reason_to_skip,
    see,
)

WANTS: dict[str, Any] = {
    "state": "enabled",
    "uvm_enabled": None,
    "user": None,
    "legacy_ok": True,
    "unit": "nvidia-persistenced.service",
}


def empty_plan(wants: dict[str, Any]) -> dict[str, Any]:
    """A plan that changes nothing; the filter's RETURN says what each key means."""
    return {
        "state": wants["state"],
        "unit": wants["unit"],
        "held_by": "nothing",
        "skipped": None,
        "pending": False,
        "packages": [],
        "hold": False,
        "user": None,
        "unmask": False,
        "files": [],
        "link": None,
        "enable": False,
        "stop": False,
        "start": False,
        "legacy": None,
        "unit_seen": False,
        "settling": False,
        "steps": [],
        "findings": [],
        "deviations": [],
    }


def persistence_plan(
    facts: dict[str, Any], wants: dict[str, Any], packaged: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The plan for one host; ``steps`` is empty when nothing is to be done.

    :param facts: ``ansible_facts['nvidia']``
    :param wants: the variables of the role persistenced without their prefix
    :param packaged: the platform's daemon: ``{package, path, exec_start, unit_file_state}``; {} or None: not known
    """
    wants = {**WANTS, **wants}
    plan = empty_plan(wants)
    plan["skipped"] = reason_to_skip(facts)
    if wants["state"] == "disabled":
        plan_disabled(plan, facts, see(facts, wants["unit"]))
    elif plan["skipped"]:
        plan["findings"] = [findings.skipped(plan["skipped"])]
    else:
        _enable(plan, facts, wants, packaged or {})
    plan["findings"] = ordered(plan["findings"])
    plan["deviations"] = findings.deviations(plan, facts)
    return plan


def _enable(plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any], packaged: dict[str, Any]) -> None:
    seen = see(facts, wants["unit"])
    plan["unit_seen"] = seen.kind == "present"
    plan["pending"] = not has_driver(facts) and not daemon(facts)
    plan["findings"] = findings.refusals(facts, wants)
    if plan["pending"]:
        plan["findings"].append(findings.pending())
    if seen.kind == "masked":
        plan["unmask"] = True
        plan["steps"].append(f"Unmask {wants['unit']}")
    if seen.kind == "absent" and daemon(facts) and _has_systemd(facts):
        seen = Seen("absent", ours=True, boot="disabled")
    elif seen.kind != "present" and not daemon(facts) and _package(facts, packaged, plan["pending"]):
        plan["packages"] = [_package(facts, packaged, plan["pending"])]
        plan["hold"] = any(row.get("held") for row in _install(facts).get("packages") or [])
        plan["steps"].append(f"Install {plan['packages'][0]}{' and hold it, as the driver is' if plan['hold'] else ''}")
        seen = expect(packaged)
    elif seen.kind == "masked":
        seen = expect(packaged)  # what lies below a mask is seen once it is lifted
    if seen.ours:
        _own_unit(plan, facts, wants, seen)
    elif seen.kind != "absent":
        _packaged_unit(plan, facts, wants, seen)
    elif not plan["unmask"] and not plan["pending"]:
        _legacy(plan, facts, wants)


def _packaged_unit(plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any], seen: Seen) -> None:
    """A drop-in over the distribution's unit, only as much as it needs, and a start at boot."""
    plan["held_by"] = "daemon"
    target = unit_files.wanted_command(seen.packaged, wants)
    override = None if unit_files.same_command(target, seen.packaged) else target
    text = unit_files.drop_in_text(override)
    file = {"path": unit_files.drop_in_path(wants["unit"]), "content": text, "mode": "0644"}
    if seen.drop_in != text:
        plan["files"] = [file]
        what = f"with the command line {target}" if override else "that keeps it quiet on a boot without GPU"
        plan["steps"].append(f"Give {wants['unit']} a drop-in {what}")
    elif is_taken(facts, "persistenced", file):
        _take_back(plan, file)
    if seen.boot == "static":
        # `systemctl enable` needs an [Install] section in the unit itself; a drop-in cannot bring one.
        path = unit_files.link_path(wants["unit"])
        plan["link"] = {"path": path, "target": seen.path}
        plan["steps"].append(f"Start {wants['unit']} at boot through a link in multi-user.target.wants")
    elif seen.boot == "disabled":
        plan["enable"] = True
        plan["steps"].append(f"Enable {wants['unit']}")
    _run(plan, facts, seen, target, new_command=bool(override) and seen.drop_in != text)


def _take_back(plan: dict[str, Any], file: dict[str, Any]) -> None:
    """A file that is right and somebody else's: the daemon goes on."""
    plan["files"] = [file]
    plan["steps"].append(f"Take {file['path']} back, which others have got hold of")


def _own_unit(plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any], seen: Seen) -> None:
    """A unit of our own: the runfile brings the daemon alone."""
    plan["held_by"] = "daemon"
    path = f"{unit_files.FOLDER}/{wants['unit']}"
    target = unit_files.wanted_command(unit_files.own_command(daemon(facts)), wants)
    text = unit_files.own_unit_text(target)
    file = {"path": path, "content": text, "mode": "0644"}
    if seen.text != text:
        plan["files"] = [file]
        plan["steps"].append(f"Write {path}, because the daemon came without a unit")
    elif is_taken(facts, "persistenced", file):
        _take_back(plan, file)
    if seen.boot != "enabled":
        plan["enable"] = True
        plan["steps"].append(f"Enable {wants['unit']}")
    _run(plan, facts, seen, target, new_command=seen.text != text)


def _run(plan: dict[str, Any], facts: dict[str, Any], seen: Seen, target: str, new_command: bool) -> None:
    """The daemon's process: restarted for another command line alone, or when GPUs are off in spite of it."""
    user = unit_files.user_of(target)
    # without a module every start fails, whatever the user: that tells nothing
    if user not in (None, "root") and seen.kind != "expected" and (new_command or (seen.failed and is_loaded(facts))):
        plan["user"] = user
        plan["steps"].append(f"Have the system user {user}")
    if not is_loaded(facts) and not plan["pending"]:
        return
    off = gpus_off(facts)
    plan["settling"] = bool(off) and seen.kind == "present" and not (plan["files"] or plan["enable"] or seen.failed)
    if seen.active and (off or not unit_files.same_command(target, seen.effective)):
        plan["stop"] = plan["start"] = True
        why = f", because persistence mode is off on GPU {listed(off)}" if off else " for its new command line"
        plan["steps"].append(f"Restart {plan['unit']}{why}")
    elif not seen.active:
        plan["start"] = True
        plan["steps"].append(f"Start {plan['unit']}")


def _legacy(plan: dict[str, Any], facts: dict[str, Any], wants: dict[str, Any]) -> None:
    """The kernel module's own persistence mode, for want of a daemon."""
    why = "its package is not known for this platform" if _has_systemd(facts) else "systemd does not run"
    plan["findings"].append(findings.no_daemon(why, wants["legacy_ok"]))
    if not wants["legacy_ok"]:
        return
    plan["held_by"] = "legacy"
    if gpus_off(facts):
        plan["legacy"] = "enabled"
        plan["steps"].append(f"Turn the kernel module's persistence mode on for GPU {listed(gpus_off(facts))}")


def _package(facts: dict[str, Any], packaged: dict[str, Any], pending: bool) -> str | None:
    """The package that brings the daemon, or None: not known, or not for a driver that came without packages.

    ``{series}`` becomes the series of the driver packages that are installed, such as 580-server.
    """
    install = _install(facts)
    name = packaged.get("package")
    if not name or not _has_systemd(facts) or not (pending or install.get("method") == "packages"):
        return None
    if "{series}" not in name:
        return str(name)
    pattern = r"(?:nvidia-utils|libnvidia-compute)-(\d+(?:-server)?)"
    matches = (re.fullmatch(pattern, str(row["name"])) for row in install.get("packages") or [])
    series = next((match[1] for match in matches if match), None)
    return str(name).format(series=series) if series else None


def _install(facts: dict[str, Any]) -> dict[str, Any]:
    return (facts.get("driver") or {}).get("install") or {}


def _has_systemd(facts: dict[str, Any]) -> bool:
    return (facts.get("system") or {}).get("service_manager") == "systemd"
