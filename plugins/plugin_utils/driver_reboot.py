# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the host need a reboot to become what its plan says, why, and would a driver work after it?"""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import listed
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_kernels import kernel_is_ours
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_signatures import (
    attended_by,
    instructions,
    is_trusted,
    refusals,
    request,
    request_reasons,
    taking_reasons,
)

PASSWORD_AT = "the one that the request was staged with"


def driver_reboot(facts: dict[str, Any], plan: dict[str, Any], password_at: str = PASSWORD_AT) -> dict[str, Any]:
    """``{required, reasons: [sentences], blocked: [sentences], load_now, attended, request, keys, instructions}``.

    ``blocked`` says why a reboot would leave the host without any driver. ``load_now``: the freshly built modules can
    be loaded without a reboot. A host on which no module has been built yet needs no reboot: it needs the role.
    ``attended`` says who must be at the console meanwhile, because a ``request`` (enrol, delete) waits for MokManager.

    :param password_at: where a person finds the one-time password, as words
    """
    waiting = request(facts, plan)
    reasons = [*reboot_reasons(facts, plan), *request_reasons(waiting), *taking_reasons(facts, plan)]
    attended = attended_by(plan, waiting) if reasons else None
    return {
        "required": bool(reasons),
        "reasons": reasons,
        "blocked": blockers(facts, plan) if reasons else [],
        "load_now": can_load_now(facts, plan) and not reboot_reasons(facts, plan),
        "attended": attended,
        "request": waiting["kind"] if attended else None,
        "keys": [row["sha1"] for row in waiting["keys"]] if attended else [],
        "instructions": instructions(facts, waiting, password_at) if attended == "person" else [],
    }


def reboot_reasons(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    """Sentences; empty: nothing of the driver's waits for a reboot."""
    driver, kernel = facts.get("driver") or {}, facts.get("kernel") or {}
    loaded, running, on_disk = driver.get("loaded"), kernel.get("running"), driver.get("on_disk") or {}
    if not kernel_is_ours(facts):
        return []
    if plan["state"] == "absent":
        if not loaded or any(on_disk.values()):
            return []
        return [f"NVIDIA's module {loaded['version']} is still loaded although the driver has been removed"]
    if not any(on_disk.get(release) for release in plan["kernels"]) or not _has_gpu(facts):
        return []
    return [
        *_module_reasons(loaded, on_disk.get(running), running),
        *_nouveau_reasons(facts),
        *_kernel_reasons(plan, kernel, loaded),
    ]


def _module_reasons(loaded: dict[str, Any] | None, disk: dict[str, Any] | None, running: str | None) -> list[str]:
    if not loaded or not disk:
        return []
    if loaded.get("version") != disk.get("version"):
        return [
            f"The loaded module is {loaded.get('version')}, the one on disk for the running kernel {running} is"
            f" {disk.get('version')}"
        ]
    flavours = (loaded.get("flavour"), disk.get("flavour"))
    if set(flavours) == {"open", "proprietary"}:
        return [
            f"The loaded module is the {flavours[0]} one, the one on disk for the running kernel {running} is the"
            f" {flavours[1]} one"
        ]
    return []


def _nouveau_reasons(facts: dict[str, Any]) -> list[str]:
    nouveau = facts.get("nouveau") or {}
    if nouveau.get("bound"):
        return [f"nouveau or nova drives {listed(nouveau['bound'])} and leaves only with a reboot"]
    if nouveau.get("loaded"):
        return [
            f"{listed(nouveau['loaded'])} is loaded and may hold the GPUs; its blacklist is honoured at the next boot"
        ]
    return []


def _kernel_reasons(plan: dict[str, Any], kernel: dict[str, Any], loaded: dict[str, Any] | None) -> list[str]:
    running, following = kernel.get("running"), kernel.get("next")
    if running in plan["kernels"] or loaded or following not in plan["kernels"]:
        return []
    return [f"The modules are built for {listed(plan['kernels'])}, and {running} is running; {following} boots next"]


def blockers(facts: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    """Sentences that forbid the reboot; empty: a driver will be there for the kernel that boots next."""
    kernel, on_disk = facts.get("kernel") or {}, (facts.get("driver") or {}).get("on_disk") or {}
    following = kernel.get("next") or kernel.get("running")
    if plan["state"] == "absent":
        return []
    if on_disk.get(following):
        return refusals(facts, plan, following)
    built = [release for release, module in on_disk.items() if module]
    return [
        f"Kernel {following} boots next and has no NVIDIA module (there is one for {listed(built)}), while nouveau is"
        " kept from loading: after the reboot no driver would work. Set nvidia_driver_kernels: [running, next] and run"
        " the playbook again, or make another kernel boot."
    ]


def can_load_now(facts: dict[str, Any], plan: dict[str, Any]) -> bool:
    """Whether loading the modules on disk is worth trying: nothing is loaded, nothing else holds the GPUs."""
    driver, running = facts.get("driver") or {}, (facts.get("kernel") or {}).get("running")
    trusted = plan["build"] == "precompiled" or is_trusted(facts, running)
    return bool(
        plan["state"] == "present"
        and kernel_is_ours(facts)
        and trusted
        and _has_gpu(facts)
        and not driver.get("loaded")
        and (driver.get("on_disk") or {}).get(running)
        and not (facts.get("nouveau") or {}).get("loaded")
    )


def _has_gpu(facts: dict[str, Any]) -> bool:
    return any(row.get("kind") == "gpu" for row in facts.get("pci") or [])
