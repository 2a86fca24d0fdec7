# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpacks a kernel module, signs it with the kernel's own tool, and puts it back in one step."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _module_file as module_file
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _module_signature_check as check
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _signature as signature
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

WORK = "/var/lib/gpufleet/mok/work"
PLAIN = f"{WORK}/module.ko"
PACKED = f"{WORK}/module.ko.zst"
DICTIONARY = 1 << 20  # bytes; the kernel unpacks modules in little memory, so a small one as the kernel's own have
OWN_TOOLS = ("/lib/modules/{0}/build/scripts/sign-file", "/usr/src/linux-headers-{0}/scripts/sign-file")
OTHER_TOOLS = ("/usr/src", "/usr/src/kernels", "/usr/lib")
CONFIGURATIONS = ("/boot/config-{0}", "/lib/modules/{0}/config", "/lib/modules/{0}/build/.config")
HASH = re.compile(r'^CONFIG_MODULE_SIG_HASH="(\w[\w-]*)"$', flags=re.M)


def find_tool(system, release):
    """The program that signs: the kernel's own, another kernel's (they are all the same), or Ubuntu's kmodsign.

    :raises NvidiaError: where there is none
    """
    kernels = f"/usr/src/kernels/{release}/scripts/sign-file"
    others = [f"{folder}/{name}/scripts/sign-file" for folder in OTHER_TOOLS for name in system.entries(folder)]
    names = [*(form.format(release) for form in OWN_TOOLS), kernels, *reversed([n for n in others if "linux" in n])]
    names += [name for name in others if name.startswith("/usr/src/kernels/")]
    found = next((name for name in names if system.exists(name) and system.which(name)), None) or system.which(
        "kmodsign"
    )
    if found is None:
        raise NvidiaError(
            f"Nothing on this host signs modules for {release}: there is no scripts/sign-file in the kernel's headers,"
            " and no kmodsign. Install the kernel's headers (linux-headers, kernel-devel), or the package sbsigntool."
        )
    return found


def hash_of(system, release):
    """The digest that the kernel signs its own modules with, and so has built in."""
    texts = (system.read(form.format(release)) for form in CONFIGURATIONS)
    found = next((match for match in (HASH.search(text or "") for text in texts) if match), None)
    return found[1] if found else "sha256"


def load(system, path, timeout):
    """The module's bytes, unpacked.

    :raises NvidiaError: where it cannot be read or unpacked
    """
    if path.endswith(".zst"):
        return _load_zstd(system, path, timeout)
    data = module_file.decompress(system, path)
    if data is None:
        raise NvidiaError(f"The module {path} cannot be read, or is damaged. Run as root; build it again.")
    return data


def _load_zstd(system, path, timeout):
    system.folder(WORK, mode=0o700)
    try:
        answer = system.run(["zstd", "-dqf", path, "-o", PLAIN], timeout=timeout)
        data = system.read_bytes(PLAIN)
    finally:
        system.remove(PLAIN)
    if answer.rc == 127:
        raise NvidiaError(f"{path} is compressed by zstd, which is not installed. Install the package zstd.")
    if answer.rc != 0 or data is None:
        raise NvidiaError(f"The module {path} cannot be unpacked: {answer.err.strip()[-200:]}. Build it again.")
    return data


def pack(system, path, timeout):
    """The bytes of the signed module as its name wants them."""
    data = system.read_bytes(PLAIN)
    if path.endswith(".xz"):
        import lzma

        # Not the smallest, but soon: much of NVIDIA's module is firmware, which no effort makes smaller.
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": DICTIONARY}]
        return lzma.compress(data, check=lzma.CHECK_CRC32, filters=filters)
    if path.endswith(".gz"):
        import gzip

        return gzip.compress(data, mtime=0)
    if path.endswith(".zst"):
        answer = system.run(["zstd", "-qf", PLAIN, "-o", PACKED], timeout=timeout)
        packed = system.read_bytes(PACKED)
        if answer.rc != 0 or packed is None:
            raise NvidiaError(f"{path} could not be compressed by zstd: {answer.err.strip()[-200:]}")
        return packed
    return data


def bare(data):
    """A module without any signature."""
    while True:
        module, message, _kind = signature.split(data)
        if message is None:
            return data
        data = module


def sign(system, path, release, pair, timeout):
    """Signs one module; it is replaced only once its new signature has been checked.

    :param pair: Pair, whose certificate may be in PEM
    :raises NvidiaError: with the tool's own words
    """
    tool, digest = find_tool(system, release), hash_of(system, release)
    data = bare(load(system, path, timeout))
    system.folder(WORK, mode=0o700)
    try:
        system.write(PLAIN, data, mode=0o600)
        answer = system.run([tool, digest, pair.key, pair.file, PLAIN], timeout=timeout)
        if answer.rc != 0 or not check.is_good(system.read_bytes(PLAIN) or b"", pair.certificate.der):
            said = (answer.err or answer.out).strip()[-300:] or "it says nothing"
            raise NvidiaError(f"{path} was not signed and is as it was: {tool} failed ({said}).")
        mode = system.stat(path)
        system.write(path, pack(system, path, timeout), mode=mode[0] if mode else 0o644)
    finally:
        system.remove(PLAIN)
        system.remove(PACKED)
    if not check.is_good(load(system, path, timeout), pair.certificate.der):
        raise NvidiaError(f"{path} was written, and what can be read of it is not signed well. Build the module again.")
