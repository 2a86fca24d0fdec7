# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person must know of Secure Boot before the first change, and what forbids it."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_findings import error, note, warning
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_secure_boot import (
    BUILT_HERE,
    gone_requests,
    is_image_build,
)
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.mok_arguments import console_of

Findings = list[dict[str, str]]


def declared_findings(wants: dict[str, Any]) -> Findings:
    """Errors of the variables themselves, whatever the host is."""
    found: Findings = []
    for key, certificate in (("signing_key", "signing_certificate"), ("mok_private_key", "mok_certificate")):
        # A secret that is hidden from the plan is None, and may be set all the same.
        hidden = key == "mok_private_key" and wants[key] is None
        if bool(wants[key]) != bool(wants[certificate]) and not hidden:
            given, other = (key, certificate) if wants[key] else (certificate, key)
            text = (
                f"nvidia_driver_{given} is set and nvidia_driver_{other} is not; a key and its certificate go together."
                " Set both, or neither."
            )
            found.append(error("signing_pair_incomplete", text))
    if wants["mok_password"] is False:
        text = (
            "nvidia_driver_mok_password is none that MokManager takes for certain: it must have 8 to 16 characters of a"
            " US keyboard, without blanks. Take letters and digits, or leave it out to have one made for each host."
        )
        found.append(error("mok_password_unfit", text))
    try:
        if wants["mok_console"]:
            console_of(wants["mok_console"])
    except ValueError as exc:
        found.append(error("mok_console_invalid", f"nvidia_driver_mok_{exc}"))
    return found


def secure_boot_findings(facts: dict[str, Any], wants: dict[str, Any], part: dict[str, Any], build: str) -> Findings:
    """Findings about this host.

    :param part: the plan's part ``secure_boot``; :param build: dkms, precompiled or runfile
    """
    mok = facts.get("mok") or {}
    if not part["enforced"]:
        return _required(facts, wants, mok, build)
    if build not in BUILT_HERE:
        text = "Secure Boot is enabled; the distribution's own signed modules are taken, which the kernel trusts."
        return [note("secure_boot_signed", text)]
    if wants["secure_boot"] == "ignore":
        text = (
            "Secure Boot is enabled: the kernel refuses the modules that are built here unless the key that signs them"
            " is enrolled. nvidia_driver_secure_boot: ignore leaves that to you, and no reboot is guarded against it."
        )
        return [warning("secure_boot_untrusted", text)]
    if mok.get("firmware") == "bios":
        text = (
            "The kernel asks for signed modules (lockdown= or module.sig_enforce on its command line), and this host"
            " has no EFI firmware that could hold a key for them. Take that off the command line, or set"
            " nvidia_driver_secure_boot: ignore where the kernel has the key built in."
        )
        return [error("secure_boot_no_firmware", text)]
    return _unsettled(wants, part, mok)


def _unsettled(wants: dict[str, Any], part: dict[str, Any], mok: dict[str, Any]) -> Findings:
    """Where keys are to be enrolled, which needs a person or a console."""
    found: Findings = []
    gone = gone_requests(mok, "enrol")
    if gone and not wants["mok_restage"]:
        text = (
            f"The enrolment of {gone[-1]['subject']} (SHA-1 {gone[-1]['sha1'][:10]}) was asked for at"
            f" {gone[-1]['time']} and is gone: nobody confirmed it at the console, or somebody refused. It is not"
            " asked for again by itself. Name nvidia_driver_mok_console or have a person there, then set"
            " nvidia_driver_mok_restage: true for a run."
        )
        found.append(error("secure_boot_key_dismissed", text))
    if gone_requests(mok, "delete") and not wants["mok_restage"]:
        text = (
            f"The removal of {gone_requests(mok, 'delete')[-1]['subject']} was asked for and is gone without effect;"
            " the key is still trusted. Set nvidia_driver_mok_restage: true to ask again."
        )
        found.append(warning("secure_boot_removal_dismissed", text))
    if not part["settled"] and not mok.get("shim", True):
        text = (
            "This host did not boot through shim, so no MokManager can enrol a key. Put the certificate"
            f" {part['certificate']} into the firmware's db (its setup menu, the board's management controller, or the"
            " cloud's image); until then the kernel refuses the modules."
        )
        found.append(warning("secure_boot_no_shim", text))
    elif not part["settled"] and mok.get("state") != "trusted":
        who = (
            "the playbook answers it there (nvidia_driver_mok_console)"
            if part["console"]
            else "a person must be there, or nvidia_driver_mok_console name it"
        )
        text = (
            f"Secure Boot is enabled: the kernel refuses the modules that are built here until the key that signs them,"
            f" {part['certificate']}, is enrolled. MokManager asks for that at the console on the next boot: {who}."
        )
        found.append(warning("secure_boot_untrusted", text))
    return found


def _required(facts: dict[str, Any], wants: dict[str, Any], mok: dict[str, Any], build: str) -> Findings:
    """Where nobody asks for signatures, and the variables want that somebody does."""
    if wants["secure_boot"] != "require":
        return []
    if is_image_build(facts, wants):
        if build not in BUILT_HERE:
            return []
        text = (
            "No kernel asks for signatures here; the modules are signed for the machines that boot from this disk, and"
            " nothing is enrolled (nvidia_driver_secure_boot: require without nvidia_driver_gpu_required)."
        )
        return [note("secure_boot_image", text)]
    state = mok.get("secure_boot") or (facts.get("system") or {}).get("secure_boot") or "unknown"
    wish = "nvidia_driver_secure_boot is require"
    if mok.get("firmware") == "bios" or state == "unsupported":
        text = f"{wish}, and this host's firmware has no Secure Boot. Use another machine, or set auto."
        return [error("secure_boot_no_firmware", text)]
    reasons = {
        "enabled": "is enabled, but nobody validates (mokutil --enable-validation turns that on again)",
        "setup_mode": "is off, because the firmware is in setup mode: enrol its platform key in the setup menu",
        "unknown": "cannot be read on this host (EFI variables are not mounted, or this is a container)",
    }
    reason = reasons.get(str(state), "is off: turn it on in the firmware's setup menu")
    return [error("secure_boot_required", f"{wish}, and Secure Boot {reason}. Or set nvidia_driver_secure_boot: auto.")]
