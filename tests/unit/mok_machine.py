"""A machine with Secure Boot in a folder: the captured variables and keys, on which requests and keys can be made."""

from __future__ import annotations

import os
import shutil

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi
from tests.unit.mok_hosts import captured, files, signature_list
from tests.unit.mokutil_stand_in import mokutil as mokutil_stand_in
from tests.unit.rooted_system import RootedSystem

NOW = 1795255200.0  # 2026-11-21T10:00:00Z
BOOT = "/proc/sys/kernel/random/boot_id"
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
MOKUTILS = [
    "stand-in",
    pytest.param("real", marks=pytest.mark.skipif(shutil.which("mokutil") is None, reason="mokutil is not installed")),
]


def machine(root, mokutil="stand-in", modules=False, **variables):
    """:param variables: other bytes of EFI variables, None: there is none"""
    system = RootedSystem(root, {"mokutil": mokutil_stand_in} if mokutil == "stand-in" else {})
    system.environment["EFIVARFS_PATH"] = f"{root}{efi.EFIVARS}/"
    laid = files(**variables)
    for path, content in laid.items():
        if modules or not path.startswith("/lib/modules"):
            put(system, path, content)
    put(system, "/proc/mounts", f"efivarfs {efi.EFIVARS} efivarfs rw,nosuid 0 0\n")
    put(system, "/etc/os-release", "ID=debian\n")
    return system


def put(system, path, content):
    place = system.here(path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def take(system, path):
    os.unlink(system.here(path))


def reboot(system, enrolled=(), name="2b8f3c1a-0000-4000-8000-000000000002"):
    """Every request is gone, as MokManager leaves none; *enrolled*: certificates (DER) that it has put on the list."""
    for variable in ("MokNew", "MokAuth", "MokDel", "MokDelAuth", "MokTimeout"):
        if system.exists(efi.path(variable)):
            take(system, efi.path(variable))
    put(system, efi.path("MokListRT"), enrolled_list(*enrolled))
    put(system, BOOT, f"{name}\n")


def enrolled_list(*certificates):
    """MokListRT with these after those that were captured."""
    return captured("efi/MokListRT") + signature_list(*certificates)[efi.ATTRIBUTES :]


def everything(system):
    """What anybody could see of a run: words, answers, and files that are not for root alone."""
    shown = [" ".join(words) for words in system.argv] + system.said
    for folder, _folders, names in os.walk(system.root):
        for name in names:
            path = os.path.join(folder, name)
            if os.stat(path).st_mode & 0o077:
                with open(path, "rb") as file:
                    shown.append(file.read().decode("latin-1"))
    return "\n".join(shown)
