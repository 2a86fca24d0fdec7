# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who signs the kernel modules where the kernel asks for signatures: the order of preference, and whether all is done.

Modules that the distribution has signed need no key; then comes the site's key, then one of the host's own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.driver_kernels import kernel_is_ours

OWN = "/var/lib/gpufleet/mok/signing.der"
# Where a pair may be already: certificate → private key; ours, DKMS's own (Debian, NVIDIA), Ubuntu's.
PAIRS = {
    OWN: "/var/lib/gpufleet/mok/signing.key",
    "/var/lib/dkms/mok.pub": "/var/lib/dkms/mok.key",
    "/var/lib/shim-signed/mok/MOK.der": "/var/lib/shim-signed/mok/MOK.priv",
}
DROP_IN = "/etc/dkms/framework.conf.d/gpufleet.conf"
TOOLS = ("mokutil", "openssl")
BUILT_HERE = ("dkms", "runfile")
PEM = re.compile(r"-----BEGIN (?:TRUSTED )?CERTIFICATE-----(.+?)-----END", flags=re.S)


def asks_for_signatures(facts: dict[str, Any]) -> bool:
    """Whether the running kernel, if it is this host's own, loads modules only with a signature that it trusts."""
    enforced = (facts.get("mok") or {}).get("enforced")
    if enforced is None:
        enforced = (facts.get("system") or {}).get("secure_boot") == "enabled"
    return bool(enforced) and kernel_is_ours(facts)


def favours_signed(facts: dict[str, Any], wants: dict[str, Any]) -> bool:
    """Whether modules that the distribution has signed are to be preferred."""
    return wants["secure_boot"] != "ignore" and asks_for_signatures(facts)


def is_image_build(facts: dict[str, Any], wants: dict[str, Any]) -> bool:
    """Whether modules are signed for machines that will boot from this disk, and not for this one."""
    return wants["secure_boot"] == "require" and not wants["gpu_required"] and not asks_for_signatures(facts)


def outline(wants: dict[str, Any]) -> dict[str, Any]:
    """The plan's part ``secure_boot`` in which nothing is decided yet."""
    return {
        "mode": wants["secure_boot"],
        "enforced": False,
        "way": "none",
        "sign": False,
        "stage": False,
        "revoke": False,
        "settled": False,
        "dkms": False,
        "private_key": None,
        "certificate": None,
        "packages": [],
        "console": bool(wants["mok_console"]),
    }


def secure_boot(facts: dict[str, Any], wants: dict[str, Any], build: str, kernels: list[str]) -> dict[str, Any]:
    """The plan's part ``secure_boot``; its shape is in the documentation of the filter gpufleet.nvidia.driver_plan.

    :param build: dkms, precompiled or runfile; :param kernels: releases that get modules
    """
    part = {**outline(wants), "enforced": asks_for_signatures(facts)}
    if wants["secure_boot"] == "ignore" or not (part["enforced"] or is_image_build(facts, wants)):
        return part
    if build not in BUILT_HERE:
        return {**part, "way": "precompiled"}
    mok = facts.get("mok") or {}
    site = bool(wants["mok_certificate"])
    part.update(zip(("private_key", "certificate"), pair(mok, wants, site), strict=True))
    uefi = mok.get("firmware", "uefi") == "uefi" and mok.get("shim", True)
    own = own_certificate(mok, part["certificate"])
    sha1 = own["sha1"] if own else None
    wanted = fingerprint(wants["mok_certificate"]) if site else sha1
    part.update(
        way="site_key" if site else "host_key",
        sign=True,
        stage=part["enforced"] and uefi,
        # A removal that was refused is not asked for again by itself; without a console it would wait for a person.
        revoke=part["console"] and bool(wants["mok_restage"] or not gone_requests(mok, "delete")),
        dkms=build == "dkms" and not spoils(mok, wanted),
        packages=list(TOOLS),
        settled=own is not None and sha1 == wanted and is_settled(mok, own, wants, kernels),
    )
    return part


def pair(mok: dict[str, Any], wants: dict[str, Any], site: bool) -> tuple[str, str]:
    """``(private key, certificate)``, paths on the host: named, there already (enrolled ones first), or to be made."""
    if wants["signing_key"] and wants["signing_certificate"]:
        return wants["signing_key"], wants["signing_certificate"]
    there = {row["path"]: row["sha1"] for row in mok.get("certificates") or [] if row["path"] in PAIRS}
    enrolled = {row["sha1"] for row in mok.get("enrolled") or []}
    order = sorted((path for path in PAIRS if path in there), key=lambda path: there[path] not in enrolled)
    chosen = OWN if site or not order else order[0]
    return PAIRS[chosen], chosen


def own_certificate(mok: dict[str, Any], path: str) -> dict[str, Any] | None:
    """The certificate at *path*, where DKMS signs with it and it can be read."""
    return next((row for row in mok.get("certificates") or [] if row["path"] == path), None)


def fingerprint(content: str) -> str | None:
    """SHA-1 of a certificate in PEM, or of DER in base64; None: it is neither, such as a path."""
    found = PEM.search(str(content))
    try:
        return hashlib.sha1(
            base64.b64decode("".join((found[1] if found else str(content)).split()), validate=True),
            usedforsecurity=False,
        ).hexdigest()
    except (binascii.Error, ValueError):
        return None


def signed_by(row: dict[str, Any], certificate: dict[str, Any]) -> bool:
    """Whether a module's signature (a row of the facts) names this certificate."""
    if row.get("key_id"):
        return row["key_id"] == certificate.get("ski")
    issuer = certificate.get("issuer_name")
    return bool(row.get("serial")) and row["serial"] == certificate["serial"] and row.get("signer") == issuer


def spoils(mok: dict[str, Any], sha1: str | None) -> bool:
    """Whether the host has another key that its firmware trusts while it does not trust this one yet.

    DKMS goes on with that one until then, so that a kernel that comes in between has modules that load.
    """
    enrolled = {row["sha1"] for row in mok.get("enrolled") or []}
    others = {row["sha1"] for row in mok.get("certificates") or []} - {sha1}
    return sha1 not in enrolled and bool(others & enrolled)


def is_settled(mok: dict[str, Any], own: dict[str, Any], wants: dict[str, Any], kernels: list[str]) -> bool:
    """Whether nothing is left to do: the key is enrolled, signs every module, and no request is open."""
    enrolled = {row["sha1"] for row in mok.get("enrolled") or []}
    pending, rows = mok.get("pending") or {}, mok.get("modules") or []
    before = wants["mok_rotate_before"]
    return bool(
        own["sha1"] in enrolled
        and pending.get("enrol") == []
        and pending.get("delete") == []
        and not open_requests(mok)
        and (before is None or own["not_before"][:10] >= str(before))
        and set(kernels) <= {row["kernel"] for row in rows}
        and all(row["trusted"] and (row["trusted_by"] == "builtin" or signed_by(row, own)) for row in rows)
    )


def open_requests(mok: dict[str, Any]) -> list[dict[str, Any]]:
    """The requests of ours that have not come true, whether they wait or are gone."""
    enrolled = {row["sha1"] for row in mok.get("enrolled") or []}
    return [row for row in mok.get("requests") or [] if (row["sha1"] in enrolled) != (row["action"] == "enrol")]


def gone_requests(mok: dict[str, Any], action: str) -> list[dict[str, Any]]:
    """Those of them that nobody confirmed at the console, or somebody refused."""
    rows = (mok.get("pending") or {}).get(action)
    if rows is None:
        return []
    waiting = {row["sha1"] for row in rows}
    return [row for row in open_requests(mok) if row["action"] == action and row["sha1"] not in waiting]


def why(part: dict[str, Any], platform: str) -> str | None:
    """The order of preference as a sentence about this host; None: nobody asks for a signature."""
    if part["way"] == "none":
        return None
    if part["way"] == "precompiled":
        return f"Secure Boot: {platform}'s own signed modules are taken, which the kernel trusts without another key."
    reason = f"{platform} has no signed modules of this driver, so they are built here"
    if part["way"] == "site_key":
        return f"Secure Boot: {reason}; they are signed with the site's key, {part['certificate']}."
    return (
        f"Secure Boot: {reason}; no key of the site is given (nvidia_driver_mok_certificate), so they are"
        f" signed with the host's own, {part['certificate']}."
    )
