"""A stand-in for mokutil, for machines that have none: the commands that we use, with what it does to the variables."""

from __future__ import annotations

import struct

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_password as passwords
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import Result
from tests.unit.mok_hosts import ATTRIBUTES, signature_list

NAMES = {"--import": ("MokNew", "MokAuth"), "--delete": ("MokDel", "MokDelAuth")}
REVERSE = {"--import": "--delete", "--delete": "--import"}


def mokutil(system, words, _data):
    """Its exit code says success whatever happens, as the real one's often does."""
    words = [word for word in words if word != "--ignore-keyring"]
    verb, rest = words[0], words[1:]
    if verb in ("--revoke-import", "--revoke-delete"):
        _drop(system, NAMES["--import" if verb == "--revoke-import" else "--delete"])
    elif verb == "--timeout":
        _timeout(system, int(rest[0]))
    else:
        return Result(0, _request(system, verb, rest[0], rest[2] if len(rest) > 2 else None), "")
    return Result(0, "", "")


def _request(system, verb, path, hashed):
    certificate = system.read_bytes(path)
    known = certificate in _certificates(system, "MokListRT")
    waiting = _certificates(system, NAMES[verb][0])
    if certificate in waiting or known == (verb == "--import"):
        others = _certificates(system, NAMES[REVERSE[verb]][0])
        if certificate not in others:
            return f"SKIP: {path} is already in the request, or where it should be\n"
        left = [one for one in others if one != certificate]
        if left:
            system.write(efi.path(NAMES[REVERSE[verb]][0]), signature_list(*left))
        else:
            _drop(system, NAMES[REVERSE[verb]])
        return f"Removed {path} from the opposite request\n"
    system.write(efi.path(NAMES[verb][0]), signature_list(certificate, *waiting))
    _dollar, _six, salt, text = system.read(hashed).split("$")
    packed = passwords.AUTH.pack(4, 5000, len(salt), salt.encode(), passwords.digest(text))
    system.write(efi.path(NAMES[verb][1]), ATTRIBUTES + packed)
    return ""


def _certificates(system, name):
    return [found.der for found in efi.certificates(efi.value(system, name))]


def _drop(system, names):
    for name in names:
        system.remove(efi.path(name))


def _timeout(system, seconds):
    if seconds == 10:
        system.remove(efi.path("MokTimeout"))
    else:
        system.write(efi.path("MokTimeout"), ATTRIBUTES + struct.pack("<i", seconds))
