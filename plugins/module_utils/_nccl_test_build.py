# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the programs of nccl-tests from a source archive that the user supplies: once for it and its options."""

from __future__ import annotations

import hashlib
import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

CAPABILITY = re.compile(r"\d{1,2}\.\d")
LINES = 12


def checksum(text):
    """64 small hexadecimal digits of ``sha256:…`` or of the digits alone.

    :raises NvidiaError: for anything else
    """
    digits = str(text or "").strip().lower()
    digits = digits[7:] if digits.startswith("sha256:") else digits
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise NvidiaError("source.sha256 must be the SHA-256 of the archive, 64 hexadecimal digits: sha256sum ARCHIVE.")
    return digits


def code_options(capabilities):
    """``["9.0"]`` gives make's NVCC_GENCODE; without capabilities make takes the toolkit's own list.

    :raises NvidiaError: for a capability that is none
    """
    wrong = [text for text in capabilities if not CAPABILITY.fullmatch(text)]
    if wrong:
        raise NvidiaError(f"source.capabilities has {', '.join(wrong)}: a compute capability is written as 9.0.")
    names = [text.replace(".", "") for text in capabilities]
    return " ".join(f"-gencode=arch=compute_{name},code=sm_{name}" for name in names)


def variables(source):
    """The variables for make, as ``NAME=value``."""
    words = [
        f"{name}={source[key]}"
        for name, key in (("CUDA_HOME", "cuda_home"), ("NCCL_HOME", "nccl_home"))
        if source.get(key)
    ]
    words += [f"NVCC_GENCODE={code_options(source['capabilities'])}"] if source.get("capabilities") else []
    return words + (
        ["MPI=1", *([f"MPI_HOME={source['mpi_home']}"] if source.get("mpi_home") else [])] if source.get("mpi") else []
    )


def folder_of(source):
    """Where the programs of this archive, made with these options, lie: another archive or option, another folder."""
    key = "\n".join([checksum(source["sha256"]), *variables(source)])
    return f"{source['folder'].rstrip('/')}/{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def is_made(system, source):
    return system.exists(f"{folder_of(source)}/build")


def check(system, source):
    """Refuses an archive that is not the one, or that would write outside of its folder, before it is unpacked."""
    wanted = checksum(source["sha256"])
    data = system.read_bytes(source["src"])
    if data is None:
        raise NvidiaError(
            f"There is no source archive at {source['src']} on this host. Copy it there, or correct source.src."
        )
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise NvidiaError(
            f"{source['src']} has the SHA-256 {found}, not {wanted}: it is another file, or damaged. Get it again."
        )
    listing = system.run(["tar", "-tf", source["src"]], timeout=60)
    names = listing.out.split("\n")[:-1]
    if listing.rc or not names:
        raise NvidiaError(f"{source['src']} is no archive that tar can read: {listing.err.strip() or 'it is empty'}.")
    bad = [name for name in names if name.startswith("/") or ".." in name.split("/")]
    if bad:
        raise NvidiaError(
            f"{source['src']} holds {bad[0]}, which would be written outside of its folder: it is refused."
        )
    for program, package in (("make", "make"), ("g++", "g++")):
        if system.which(program) is None:
            raise NvidiaError(
                f"{program} is needed to make nccl-tests and is not on this host: install the package {package}."
            )


def make(system, source, processors, timeout):
    """Unpacks and builds beside the final folder, and renames at the end, so that a folder of that name is whole.

    :raises NvidiaError: with the compiler's own lines
    """
    check(system, source)
    final = folder_of(source)
    partial = f"{final}.partial"
    steps = [
        (["rm", "-rf", partial], 60),
        (["mkdir", "-p", partial], 10),
        (["tar", "-xf", source["src"], "-C", partial, "--strip-components=1", "--no-same-owner"], 60),
        (["make", "-C", partial, f"-j{processors}", *variables(source)], timeout),
        (["mv", "-T", partial, final], 10),
    ]
    for argv, limit in steps:
        done = system.run(argv, timeout=limit)
        if done.rc:
            lines = [line for line in (done.out + done.err).splitlines() if line.strip()]
            errors = [line for line in lines if re.search(r"error|No rule|No such file|not found", line, re.I)]
            said = "\n".join((errors or lines)[-LINES:])
            system.run(["rm", "-rf", partial], timeout=60)
            raise NvidiaError(
                f"nccl-tests could not be made: `{' '.join(argv[:3])} …` ended with {done.rc}. Check"
                f" source.cuda_home and source.nccl_home (headers: package libnccl-dev). It said:\n{said}"
            )
