# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of virtual GPUs on a host, all of it at once."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.catalogue import Catalogue
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, listed, note, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_gpus import Gpu, gpus_of
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_kernels import target_kernels
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_secure_boot import asks_for_signatures
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_files import SCHEDULERS
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_manager import manager_findings
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vgpu_host_placement import (
    ALWAYS,
    NEVER,
    cards_of,
    offers_types,
)

Findings = list[dict[str, str]]
USER_GUIDE = "NVIDIA vGPU software user guide: prerequisites, and setting vGPU scheduling"


def host_findings(facts: dict[str, Any], wants: dict[str, Any], plan: dict[str, Any], catalogue: Catalogue) -> Findings:
    """:param plan: the outline, whose parts ``installs`` and ``iommu`` are decided"""
    if wants["state"] == "absent" or plan["idle"]:
        return []
    gpus = gpus_of(facts, catalogue)
    return [
        *_asked(wants),
        *_place(facts, gpus),
        *_consumer(facts, gpus),
        *manager_findings(facts, wants, (facts.get("system") or {}).get("package_manager")),
        *_silent(facts, wants, plan, gpus),
        *_iommu(facts, plan, gpus),
        *_signatures(facts, wants, plan),
        *_proxmox(wants, plan),
    ]


def _asked(wants: dict[str, Any]) -> Findings:
    found = []
    if wants["devices"] and wants["requests"]:
        text = (
            "vgpu_host_devices and vgpu_host_requests are both given, and either places the devices: keep the requests"
            " to have cards chosen, or the devices to choose them yourself."
        )
        found.append(error("two_declarations", text))
    if wants["sriov_enabled"] not in ("auto", *ALWAYS, *NEVER):
        text = f"vgpu_host_sriov_enabled is {wants['sriov_enabled']}; it is auto, true or false."
        found.append(error("sriov_word", text))
    if wants["scheduler"] not in (None, *SCHEDULERS):
        text = f"vgpu_host_scheduler is {wants['scheduler']}; it is {listed(list(SCHEDULERS))}, or null."
        found.append(error("scheduler_word", text))
    if bool(wants["signing_key"]) != bool(wants["signing_certificate"]):
        text = "vgpu_host_signing_key and vgpu_host_signing_certificate belong together: give both, or neither."
        found.append(error("signing_pair", text))
    if wants["scheduler"] == "fixed_share" and wants["mode"] == "mixed":
        text = (
            "vgpu_host_scheduler is fixed_share, and vgpu_host_mode is mixed: with vGPUs of several sizes on a card"
            " the driver does not take that policy. Choose equal_share or best_effort, or mode equal."
        )
        found.append(error("scheduler_mixed", text, USER_GUIDE))
    return found


def _place(facts: dict[str, Any], gpus: list[Gpu]) -> Findings:
    if facts.get("place") == "vgpu_guest":
        text = (
            "This machine is itself a guest with a virtual GPU, which cannot be cut again. Take it out of the group;"
            " role vgpu_guest is for it."
        )
        return [error("not_a_host", text)]
    if gpus or cards_of(facts):
        return []
    text = (
        "There is nothing on this host that can be cut: no NVIDIA GPU is on its PCI bus, and no other driver offers"
        " mediated devices. Look with lspci -d 10de:, or take the host out of the group."
    )
    return [error("no_card", text)]


def _consumer(facts: dict[str, Any], gpus: list[Gpu]) -> Findings:
    """A GeForce offers no types. Beside a card that does it is only left out."""
    offering = {card["address"] for card in cards_of(facts) if card.get("types")}
    consumer = [gpu for gpu in gpus if gpu.segment == "geforce" and gpu.address not in offering]
    others = [gpu for gpu in gpus if gpu not in consumer]
    if not consumer:
        return []
    names = listed([str(gpu) for gpu in consumer])
    if others or offering:
        return [
            note("consumer_card_left_out", f"{names} cannot be cut into virtual GPUs, and is left out.", USER_GUIDE)
        ]
    text = (
        f"{names}: NVIDIA's vGPU software takes no consumer cards, so this host cannot have virtual GPUs. Put a data"
        " centre card in (such as a Tesla P4 or P40, or an A16), or pass the whole card through to one machine."
    )
    return [error("consumer_card", text, USER_GUIDE)]


def _silent(facts: dict[str, Any], wants: dict[str, Any], plan: dict[str, Any], gpus: list[Gpu]) -> Findings:
    """Cards are there, and none says what it takes, with no manager on the way that would change that."""
    coming = plan["installs"] or plan["installed"]
    if not gpus or coming or offers_types(facts) or not (wants["requests"] or wants["devices"]):
        return []
    text = (
        f"No vGPU manager is on this host, so {listed([str(gpu) for gpu in gpus])} cannot be cut: a usual driver makes"
        " no virtual GPUs. Name the manager's file in vgpu_host_driver; NVIDIA gives it out in its licensing portal."
    )
    return [error("manager_missing", text)]


def iommu_works(facts: dict[str, Any]) -> bool:
    """Whether an IOMMU is in use: the kernel says so, or a card is in a group of one."""
    told = (facts.get("mdev") or {}).get("iommu") or {}
    return bool(told.get("enabled")) or any(row.get("iommu_group") for row in facts.get("pci") or [])


def _iommu(facts: dict[str, Any], plan: dict[str, Any], gpus: list[Gpu]) -> Findings:
    if not gpus or iommu_works(facts) or plan["iommu"]:
        return []
    words = ((facts.get("mdev") or {}).get("iommu") or {}).get("command_line") or []
    why = f" although the kernel was told {' '.join(words)}" if words else ""
    text = (
        f"No IOMMU is in use on this host{why}, and virtual GPUs need one. Switch on VT-d (Intel) or AMD-Vi in the"
        " firmware's settings, and set vgpu_host_iommu_enabled: true to have it in the kernel's command line, which"
        " takes a reboot."
    )
    used = [row for row in (facts.get("mdev") or {}).get("devices") or [] if row["active"]]
    return [(warning if used else error)("no_iommu", text, USER_GUIDE)]


def _signatures(facts: dict[str, Any], wants: dict[str, Any], plan: dict[str, Any]) -> Findings:
    """With Secure Boot the kernel refuses a manager's module that no trusted key has signed."""
    if not asks_for_signatures(facts):
        return []
    running, mok = (facts.get("kernel") or {}).get("running"), facts.get("mok") or {}
    rows = [row for row in mok.get("modules") or [] if row["kernel"] == running]
    bad = [row["name"] for row in rows if row["trusted"] is False]
    enrolled = {row["sha1"] for row in mok.get("enrolled") or []}
    ours = [row for row in mok.get("certificates") or [] if row["sha1"] in enrolled]
    way = (
        "Enrol the key that signs it: gpufleet.nvidia.mok_key makes one, gpufleet.nvidia.mok stages it, and docs/"
        "secure-boot.md tells the rest. Or switch Secure Boot off in the firmware."
    )
    if plan["installs"] and not ours and not wants["signing_key"]:
        text = (
            "Secure Boot is on, and no key with which modules are signed on this host is enrolled: the vGPU manager's"
            f" module would be unsigned, or signed by a stranger, and the kernel would refuse it. {way}"
        )
        return [error("manager_unsigned", text)]
    if bad and not plan["installs"]:
        text = (
            f"Secure Boot is on, and the kernel would refuse {listed(bad)}: no key that it trusts has signed"
            f" {'them' if len(bad) > 1 else 'it'}. {way}"
        )
        return [error("manager_unsigned", text)]
    return []


def manager_kernels(facts: dict[str, Any], plan: dict[str, Any]) -> Findings:
    """Why no modules can be built, where they are to be."""
    return target_kernels(facts, ["running"])[1] if plan["installs"] else []


def _proxmox(wants: dict[str, Any], plan: dict[str, Any]) -> Findings:
    if plan["platform"] != "proxmox" and wants["mapping"]:
        text = (
            "vgpu_host_mapping is for Proxmox VE, and this host is none: take it out, or set vgpu_host_platform:"
            " proxmox where it is one all the same."
        )
        return [error("mapping_elsewhere", text)]
    if plan["platform"] != "proxmox":
        return []
    if wants["devices"]:
        text = (
            "This is Proxmox VE, which makes a virtual GPU when its machine starts and takes it away when it stops:"
            " take vgpu_host_devices out, and name the type in the machine's hostpci (docs/vgpu-hosts.md)."
        )
        return [error("proxmox_devices", text)]
    if wants["requests"]:
        text = (
            "This is Proxmox VE, which makes virtual GPUs itself. vgpu_host_requests is only checked for what fits;"
            " driver, functions and modes are set, and the machines' hostpci names the type."
        )
        return [note("proxmox_requests", text)]
    return []
