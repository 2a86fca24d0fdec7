# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Will the kernel trust the modules that are built here? Compares DKMS's key with what shim hands to the kernel."""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils._preflight_findings import finding, listed

SHIM = "605dab50-e046-4300-abb6-3dd810dd8b23"
EFIVARS = "/sys/firmware/efi/efivars"
# Written out in parts where a firmware's variables are too small for all keys, hence the second place.
ENROLLED = (f"{EFIVARS}/MokListRT-{SHIM}", "/sys/firmware/efi/mok-variables/MokListRT")
PENDING = (f"{EFIVARS}/MokNew-{SHIM}",)


def holds(system, places, certificate):
    """Whether one of the signature lists has the certificate (DER) in it; None when none can be read."""
    lists = [data for data in (system.read_bytes(path) for path in places) if data is not None]
    return any(certificate in data for data in lists) if lists else None


def check(system, params):
    """A finding for the first certificate that exists, where Secure Boot is on (``signing`` says so)."""
    paths = params["signing_certificates"] or []
    found = [(path, system.read_bytes(path)) for path in paths]
    path, certificate = next(((path, data) for path, data in found if data), (None, None))
    if certificate is None:
        text = (
            f"Secure Boot is enabled, and this host has no key yet to sign modules with (looked for {listed(paths)}):"
            " DKMS makes one with the first build, and the kernel refuses the modules until it is enrolled. Run"
            " `mokutil --import` with it afterwards and confirm at the console on the next boot, or enrol a key"
            " before."
        )
        return [finding("warning", "signing_key_missing", text, "/var/lib/dkms")]
    enrolled = holds(system, ENROLLED, certificate)
    if enrolled:
        text = f"Secure Boot is enabled, and the key {path} that signs this host's modules is enrolled: they will load."
        return [finding("note", "signing_key_enrolled", text, "MokListRT")]
    if enrolled is None:
        text = (
            "Secure Boot is enabled, and which keys are enrolled could not be read: the firmware's variables are not"
            f" there. Look with `mokutil --test-key {path}` before you count on the modules."
        )
        return [finding("warning", "signing_key_unknown", text, EFIVARS)]
    if holds(system, PENDING, certificate):
        text = (
            f"Secure Boot is enabled, and the enrolment of {path} waits for a person: on the next boot MokManager asks"
            " at the console for ten seconds. Without an answer the request is lost, and the modules do not load."
        )
        return [finding("warning", "signing_key_pending", text, "MokNew")]
    text = (
        f"Secure Boot is enabled, and the key {path} that signs this host's modules is not enrolled: the kernel refuses"
        f" them. Run `mokutil --import {path}`, reboot, and confirm at the console within ten seconds."
    )
    return [finding("warning", "signing_key_untrusted", text, "MokListRT")]
