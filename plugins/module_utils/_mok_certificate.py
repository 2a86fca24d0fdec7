# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a certificate is any good for kernel modules, decided before a request for it is made.

What was looked up: shim enrols any certificate, checks neither time nor use, and does not boot what a certificate with
the purpose "kernel module signing" has signed (verify.c). The kernel checks no time either. SUSE's wants the purpose
"code signing" (CONFIG_CHECK_CODESIGN_EKU). A kernel with CONFIG_INTEGRITY_CA_MACHINE_KEYRING takes only authorities
into the keyring that modules are checked against; others end in .platform, which the kernels of Debian, Fedora, their
relatives and descendants look at as well, and the kernel of kernel.org does not.
"""

from __future__ import annotations

import base64
import binascii
import re
import time

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _certificate as certificate
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

DAY = 86400
LEAST_BITS = 2048
ANY_PURPOSE = "2.5.29.37.0"
SIGNING = {"codeSigning", "moduleSigning", ANY_PURPOSE}
LOOKS_AT_PLATFORM = {"debian", "ubuntu", "fedora", "rhel", "centos"}
MAKE = "Make a suitable one with gpufleet.nvidia.mok_key"


def load(system, path, content):
    """The Certificate that a task names by its path on the host, or gives.

    :raises NvidiaError: for none, both, or what cannot be read as one
    """
    if bool(path) == bool(content):
        raise NvidiaError(
            "Name the certificate: either by its path on the host (certificate) or by its text (content)."
        )
    if content:
        return certificate.read(_bytes(content))
    data = system.read_bytes(path)
    if data is None:
        raise NvidiaError(
            f"The certificate {path} is not on this host, or cannot be read. Copy it there first, or make a key pair"
            " with gpufleet.nvidia.mok_key."
        )
    try:
        return certificate.read(data)
    except NvidiaError as exc:
        raise NvidiaError(f"{path}: {exc}") from exc


def _bytes(content):
    if "-----BEGIN " in content:
        return content.encode("utf-8")
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise NvidiaError(
            "The certificate's content is neither PEM nor base64. Give its PEM text, or DER through b64encode."
        ) from exc


def written(moment):
    """Seconds since the epoch as certificates' times are written: ``2026-11-21T10:00:00Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def refusal(found, moment, config, distribution):
    """Why a certificate must not be enrolled, as a sentence; None: it is good for kernel modules.

    :param moment: now, seconds since the epoch; the clocks of a fleet may differ by a day
    :param config: the kernel's configuration, or None; :param distribution: set of the names it goes by
    """
    now, tomorrow = written(moment), written(moment + DAY)
    who = f"The certificate {found.subject or found.sha1[:10]}"
    if found.not_after < now:
        return f"{who} expired at {found.not_after}. {MAKE}, or correct this host's clock ({now})."
    if found.not_before > tomorrow:
        return f"{who} is valid from {found.not_before} on, and here it is {now}. Correct this host's clock, or wait."
    if not found.key_bits or found.key_bits < LEAST_BITS:
        has = f"a key of {found.key_bits} bits" if found.key_bits else "a key of an unusual kind"
        return f"{who} has {has}; shim and every kernel take RSA from {LEAST_BITS} bits on. {MAKE}."
    return _purpose(who, found, config or "") or _authority(who, found, config or "", distribution)


def _purpose(who, found, config):
    if found.key_usage is not None and "digitalSignature" not in found.key_usage:
        uses = ", ".join(found.key_usage) or "nothing"
        return f"{who} is not for signing files (its key usage: {uses}; digitalSignature is needed). {MAKE}."
    purposes = found.extended_key_usage
    if purposes is not None and not SIGNING & set(purposes):
        return f"{who} is for another purpose ({', '.join(purposes)}; codeSigning is needed). {MAKE}."
    if _has(config, "CHECK_CODESIGN_EKU") and "codeSigning" not in (purposes or []):
        return f"{who} is not for codeSigning, which this kernel wants of a key for modules. {MAKE}."
    return None


def _authority(who, found, config, distribution):
    """A kernel for which it must be an authority (CA), and that looks at no other keyring."""
    if not _has(config, "INTEGRITY_CA_MACHINE_KEYRING") or LOOKS_AT_PLATFORM & distribution:
        return None
    strict = _has(config, "INTEGRITY_CA_MACHINE_KEYRING_MAX")
    uses = found.key_usage or []
    if found.is_ca and "keyCertSign" in uses and not (strict and "digitalSignature" in uses):
        return None
    wanted = "authorities that sign nothing else" if strict else "authorities (CA:TRUE with keyCertSign)"
    return (
        f"{who} would be enrolled and not count: this kernel trusts only {wanted} of the owner's keys"
        " (CONFIG_INTEGRITY_CA_MACHINE_KEYRING). Use a certificate of that kind, or say check_authority: false where"
        " you know that this kernel checks modules against its platform keyring too."
    )


def _has(config, option):
    return re.search(rf"^CONFIG_{option}=y$", config, flags=re.M) is not None


def parse_distribution(text):
    """The names that a distribution goes by: its own, and those that it is like."""
    words = re.findall(r"^(?:ID|ID_LIKE)=[\"']?([^\"'\n]*)", text or "", flags=re.M)
    return {word for line in words for word in line.split()}
