"""Kernel modules that are really signed, as sign-file does it; openssl makes the signature."""

from __future__ import annotations

import os
import subprocess

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _certificate as certificate
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _module_file as module_file
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _signature as signature
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import Result


def piped(words: list[str], data: bytes | None = None) -> bytes:
    """What a program writes on its standard output."""
    return subprocess.run(words, input=data, check=True, capture_output=True).stdout


def signed(system, key, file, module, digest="sha256"):
    """The module's bytes with a signature behind them."""
    place = system.here("/run/signed-modules")
    os.makedirs(place, exist_ok=True)
    with open(f"{place}/module", "wb") as output:
        output.write(module)
    with open(f"{place}/certificate", "wb") as output:
        output.write(certificate.read(system.read_bytes(file)).der)
    piped(["openssl", "x509", "-inform", "DER", "-in", f"{place}/certificate", "-out", f"{place}/signer"])
    words = ["openssl", "cms", "-sign", "-binary", "-noattr", "-nocerts", "-outform", "DER", "-md", digest]
    words += ["-inkey", system.here(key), "-signer", f"{place}/signer", "-in", f"{place}/module"]
    message = piped(words)
    return module + message + signature.TRAILER.pack(0, 0, signature.PKCS7, 0, 0, len(message)) + module_file.MAGIC


def sign_file_stand_in(system, words, _data):
    """A stand-in for the kernel's sign-file, for machines without a kernel's headers."""
    digest, key, file, path = words
    system.write(path, signed(system, key, file, system.read_bytes(path), digest))
    return Result(0, "", "")
