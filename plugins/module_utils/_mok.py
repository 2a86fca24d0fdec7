# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secure Boot and machine owner keys: the firmware's lists, the kernel's keys, and the modules that need them."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _certificate as certificate
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _kernel as kernel
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _keyrings as keyrings
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_modules as modules
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_requests as requests
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_state as state
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _secure_boot as secure_boot
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

BOOT_ID = "/proc/sys/kernel/random/boot_id"
NO_KEYS: dict = {
    "enrolled": [],
    "pending": {"enrol": [], "delete": []},
    "timeout": None,
    "keyrings": None,
    "certificates": [],
}
FIELDS = (
    "sha1",
    "sha256",
    "subject",
    "common_name",
    "issuer_name",
    "serial",
    "not_before",
    "not_after",
    "ski",
    "is_ca",
)
# Where Debian's and NVIDIA's DKMS and Ubuntu's shim-signed keep the certificate that they sign modules with.
CERTIFICATES = ("/var/lib/dkms/mok.pub", "/var/lib/shim-signed/mok/MOK.der")
DKMS = "/etc/dkms/framework.conf"
SETTING = re.compile(r"^\s*mok_certificate=[\"']?([^\"'\s$]+)[\"']?\s*$", flags=re.M)


def observe(system, kernels=None, whole=True):
    """``ansible_facts['nvidia'].mok``; see RETURN of mok_facts for its shape.

    :param kernels: what _kernel.observe gave, None: it is read; :param whole: see _mok_modules.observe
    """
    facts = secure_boot.observe_firmware(system)
    facts.update(observe_keys(system) if facts["firmware"] == "uefi" else NO_KEYS)
    facts.update(modules=[], requests=requests.read(system))
    if not facts["enforced"]:
        facts["state"], facts["next_step"] = secure_boot.without_enforcement(facts)
        return facts
    kernels = kernels or kernel.observe(system)
    releases = {kernels["running"], kernels["next"], *(row["release"] for row in kernels["installed"])}
    rows = [row for release in sorted(filter(None, releases)) for row in modules.observe(system, release, whole)]
    waiting = (facts["pending"] or {}).get("enrol")
    known = modules.Known(facts["enrolled"], waiting, facts["keyrings"], kernels["running"])
    facts["modules"] = modules.judged(system, rows, known)
    counting = state.relevant(facts["modules"], kernels["next"], kernels["running"])
    facts["state"], facts["next_step"] = state.decide(facts, counting, (system.read(BOOT_ID) or "").strip())
    return facts


def observe_keys(system):
    """Certificates that are enrolled, wait, lie on the disk, and those that the kernel has taken."""
    owner, database = listed(system, "MokListRT", "mok"), listed(system, "db", "db")
    lists = [rows for rows in (owner, database) if rows is not None]
    return {
        "enrolled": [row for rows in lists for row in rows] if lists else None,
        "pending": {"enrol": listed(system, "MokNew", "mok"), "delete": listed(system, "MokDel", "mok")},
        "timeout": efi.parse_number(efi.value(system, "MokTimeout")),
        "keyrings": keyrings.observe(system, owner or [], database or []),
        "certificates": on_disk(system),
    }


def listed(system, name, source):
    """The certificates of a variable; [] where it is not there, None where it, or every variable, is unreadable."""
    data = efi.mirrored(system, name) if name in efi.MIRRORED else efi.value(system, name)
    if data is None and (efi.there(system, name) or not system.entries(efi.EFIVARS)):
        return None
    return [{**described(found), "source": source} for found in efi.certificates(data)]


def described(found):
    """A certificate as the facts show it."""
    return {name: getattr(found, name) for name in FIELDS}


def on_disk(system):
    """The certificates that DKMS and the distribution sign modules with, where they are there and can be read."""
    texts = [system.read(path) for path in (DKMS, *(f"{DKMS}.d/{name}" for name in system.entries(f"{DKMS}.d")))]
    named = [path for text in texts for path in SETTING.findall(text or "")]
    rows = []
    for path in dict.fromkeys((*named, *CERTIFICATES)):
        data = system.read_bytes(path)
        try:
            rows += [{**described(certificate.read(data)), "path": path}] if data else []
        except NvidiaError:
            continue
    return rows
