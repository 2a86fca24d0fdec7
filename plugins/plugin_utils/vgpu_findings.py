# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a licensed guest, all of it at once."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import vgpu_driver as driver
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_kernels import target_kernels
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_profile import feature_findings, profile_findings

Findings = list[dict[str, str]]
PLACES = {
    "bare_metal": "a machine of its own (bare metal)",
    "container": "a container, whose kernel and driver are somebody else's",
    "vgpu_host": "a host of virtual GPUs; its vGPU manager is the business of role vgpu_host",
}


def guest_findings(facts: dict[str, Any], wants: dict[str, Any], plan: dict[str, Any], manager: str | None) -> Findings:
    if wants["state"] == "absent":
        return []
    gridd = facts.get("gridd") or {}
    gpus, conf = gridd.get("gpus") or [], gridd.get("conf") or {}
    feature = _feature_there(conf, wants)
    return [
        *_place(facts),
        *driver.driver_findings(facts, wants, manager),
        *_kernel(facts, plan),
        *profile_findings(gpus, wants["purpose"]),
        *feature_findings(gpus, wants["feature_type"], feature),
        *_token(gridd, wants),
        *_conf(conf, wants),
        *_clock(gridd.get("clock") or {}, plan),
    ]


def _place(facts: dict[str, Any]) -> Findings:
    place = facts.get("place")
    if not any(row.get("kind") == "gpu" for row in facts.get("pci") or []):
        text = (
            "No NVIDIA GPU is on this machine's PCI bus: give the virtual machine a vGPU, or pass a GPU through to it,"
            " on its host, and start it anew."
        )
        return [error("no_gpu", text)]
    if place in PLACES and not driver.is_grid(facts):
        text = (
            f"This is {PLACES[str(place)]}. Role vgpu_guest is for virtual machines with a vGPU or a licensed GPU that"
            " is passed through. Take this host out of the group, or use role nvidia_driver."
        )
        return [error("not_a_guest", text)]
    return []


def _kernel(facts: dict[str, Any], plan: dict[str, Any]) -> Findings:
    if not (plan["package"] or plan["runfile"]):
        return []
    found = target_kernels(facts, ["running"])[1]
    if (facts.get("system") or {}).get("secure_boot") == "enabled":
        text = (
            "Secure Boot is on: the guest driver's modules load only when the key that signs them is enrolled. DKMS"
            " signs with /var/lib/dkms/mok.key; enrol it with the module gpufleet.nvidia.mok before the licence"
            " is asked for."
        )
        found = [*found, warning("secure_boot", text)]
    return found


def _feature_there(conf: dict[str, Any], wants: dict[str, Any]) -> Any:
    """The FeatureType that stays when nothing else is asked for: what a removed key had does not count."""
    if "FeatureType" in wants["conf_removed"]:
        return None
    return {**(conf.get("values") or {}), **wants["conf_values"]}.get("FeatureType")


def _token(gridd: dict[str, Any], wants: dict[str, Any]) -> Findings:
    given = wants["token"] or {}
    ways = [key for key in ("src", "path", "url") if given.get(key)]
    if wants["has_token_content"]:
        ways.append("vgpu_guest_token_content")
    if len(ways) > 1 or (given and not ways):
        text = (
            f"The client configuration token is given by {listed(ways)}: give one of src (a file on the controller),"
            " path (on the host), url, or vgpu_guest_token_content."
        )
        return [error("token_source", text)]
    there = gridd.get("tokens") or []
    sound = [row for row in there if row.get("valid") and not row.get("expired")]
    if ways or sound or gridd.get("state") == "licensed":
        return []
    seen = listed([f"{row['path']} ({row.get('reason') or 'expired'})" for row in there]) if there else "none"
    text = (
        f"No client configuration token is given, and the host has no good one ({seen}): without it there is no"
        " licence. Generate one on the licence service and name it in vgpu_guest_token."
    )
    return [error("token_not_given", text)]


def _conf(conf: dict[str, Any], wants: dict[str, Any]) -> Findings:
    found: Findings = []
    legacy = [key for key in conf.get("legacy") or [] if key not in wants["conf_removed"]]
    if legacy:
        text = (
            f"gridd.conf has {listed(legacy)} of the legacy licence server beside a token, which keeps the daemon from"
            " registering. Name these keys in vgpu_guest_conf_removed."
        )
        found.append(warning("conf_legacy", text))
    for row in conf.get("errors") or []:
        found.append(warning("conf_error", f"{conf.get('path')}, line {row['line']}: {row['text']} Correct it there."))
    return found


def _clock(clock: dict[str, Any], plan: dict[str, Any]) -> Findings:
    if plan["time_sync"]:
        return [note("clock_unattended", "Nothing sets this host's clock yet; time synchronisation is started first.")]
    if clock.get("synchronized") is False:
        text = (
            f"{clock.get('source') or 'Nothing'} sets this host's clock, and it is not synchronised yet. A licence"
            " service refuses clients whose time differs: look at the time servers."
        )
        return [warning("clock_not_synchronized", text)]
    return []
