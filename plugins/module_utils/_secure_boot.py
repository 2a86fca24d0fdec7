# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the kernel asks for signed modules: the firmware, shim and lockdown. Keys are looked at where it does."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi

LOCKDOWN = "/sys/kernel/security/lockdown"
SIG_ENFORCE = "/sys/module/module/parameters/sig_enforce"
UNREAD: dict = {
    "enrolled": None,
    "pending": {"enrol": None, "delete": None},
    "timeout": None,
    "keyrings": None,
    "certificates": None,
    "requests": None,
    "modules": [],
}


def parse_lockdown(text):
    """none, integrity or confidentiality, the one in brackets; None: there is no such file."""
    found = re.search(r"\[(\w+)\]", text or "")
    return found[1] if found else None


def parse_secure_boot(secure_boot, setup_mode, others):
    """Of the bytes of two variables, without their attributes; :param others: whether any variable is there."""
    if efi.is_set(setup_mode):
        return "setup_mode"
    if efi.is_set(secure_boot) is None:
        return "unsupported" if others else "unknown"
    return "enabled" if efi.is_set(secure_boot) else "disabled"


def observe_firmware(system):
    """``{firmware, secure_boot, validation, lockdown, shim, enforced, mokutil}``"""
    facts = {"firmware": "uefi", "validation": None, "shim": False, "mokutil": system.which("mokutil")}
    if system.exists(efi.EFI):
        secure_boot, setup_mode = (efi.value(system, name) for name in ("SecureBoot", "SetupMode"))
        facts["secure_boot"] = parse_secure_boot(secure_boot, setup_mode, bool(system.entries(efi.EFIVARS)))
        facts["shim"] = any(efi.there(system, name) for name in ("MokListRT", "SbatLevelRT", "MokListXRT"))
        if facts["shim"]:  # which mirrors the variable only where somebody has set it
            facts["validation"] = not efi.is_set(efi.mirrored(system, "MokSBStateRT"))
    elif system.exists("/sys/firmware"):
        facts.update(firmware="bios", secure_boot="unsupported")
    else:
        facts.update(firmware="unknown", secure_boot="unknown")
    facts["lockdown"] = parse_lockdown(system.read(LOCKDOWN))
    facts["enforced"] = enforced(facts, (system.read(SIG_ENFORCE) or "").strip())
    return facts


def enforced(facts, sig_enforce):
    """Whether the kernel asks for signatures that it trusts; None: that cannot be told.

    :param sig_enforce: the kernel's parameter module.sig_enforce, ``Y`` or ``N``
    """
    if sig_enforce == "Y" or facts["lockdown"] in ("integrity", "confidentiality"):
        return True
    if facts["lockdown"] == "none":  # such a kernel does not care for Secure Boot
        return False
    if facts["secure_boot"] == "unknown":
        return None
    return facts["secure_boot"] == "enabled" and facts["validation"] is not False


def without_enforcement(facts):
    """``(state, next step)`` where the kernel asks for no signature, or nobody can tell."""
    if facts["enforced"] is None:
        return None, (
            "Whether Secure Boot is on cannot be read here: EFI variables and the kernel's lockdown are both hidden, as"
            " in a container. Read it on the host itself, with /sys/firmware/efi/efivars and /sys/kernel/security"
            " mounted."
        )
    if facts["firmware"] != "uefi" or facts["secure_boot"] == "unsupported":
        return "no_firmware_support", (
            "The firmware of this host has no Secure Boot, and the kernel loads modules without a signature: nothing is"
            " to be done."
        )
    reasons = {
        "enabled": "Secure Boot is enabled, and this kernel loads modules without a signature all the same",
        "setup_mode": "The firmware is in setup mode (it has no platform key), which leaves Secure Boot off",
        "unknown": "Whether Secure Boot is on cannot be read, but the kernel is not locked down",
    }
    reason = reasons.get(facts["secure_boot"], "Secure Boot is disabled, and modules load without a signature")
    if facts["secure_boot"] == "enabled" and facts["validation"] is False:
        reason = "Secure Boot is enabled, but its validation is switched off in shim (mokutil --disable-validation)"
    return "disabled", f"{reason}: nothing is to be done."


def observe(system, kernels, whole=False):
    """The facts below ``mok``.

    :param kernels: what _kernel.observe gave
    :param whole: read the keys also where no signature is asked for, and each module, however long that takes
    """
    facts = observe_firmware(system)
    if not facts["enforced"] and not whole:
        state, next_step = without_enforcement(facts)
        return {**facts, **UNREAD, "state": state, "next_step": next_step}
    # Here, so that the many hosts without Secure Boot do not compile what they do not need.
    from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok as mok

    return mok.observe(system, kernels, whole)
