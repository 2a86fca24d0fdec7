# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parameters of module runfile ask for; what cannot be meant is refused by a sentence. Pure."""

from __future__ import annotations

import posixpath
import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_header as header
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_options as options
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

# origin: url | host | controller | None; name: of the file; version: None when only the file itself can tell
Wanted = namedtuple("Wanted", "kind present origin src name sha256 version toolkit_path")

VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?")
DRIVER_ONLY: dict = {
    "module_type": None, "dkms": None, "kernels": [], "kernel_source_path": None, "signing_key": None,
    "signing_certificate": None, "disable_nouveau": False, "nouveau_check": True, "x_check": True, "opengl": True,
    "load_modules": True, "allow_running_driver": False, "packages_removed": False,
}  # fmt: skip
CUDA_ONLY: dict = {"toolkit_path": None, "compiler_check": True}
# Folders that a toolkit cannot be: removing or replacing it would take the system with it.
SYSTEM_FOLDERS = re.compile(
    r"/|/(bin|boot|dev|etc|home|lib\w*|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr|var)"
    r"|/usr/(bin|include|lib\w*|local|sbin|share|src)|/usr/local/(bin|etc|include|lib\w*|sbin|share|src|cuda)"
    r"|/var/(cache|lib|log|opt|run|spool|tmp)|/(dev|proc|sys|boot|etc|run|bin|sbin|lib\w*)/.*"
)
GET_CHECKSUM = (
    "Run `sha256sum` on a copy that you trust; beside NVIDIA's drivers lies FILE.run.sha256sum, and cloud providers "
    "publish .sha256 files."
)


def wanted(params):
    """The request, as Wanted.

    :raises NvidiaError: for what cannot be meant
    """
    kind, present = params["kind"], params["state"] == "present"
    _refuse_of_other_kind(params, kind)
    _refuse_numbers(params)
    path = _toolkit_path(params)
    src = params["src"]
    name = re.split(r"[?#]", src)[0].rstrip("/").rsplit("/", 1)[-1] if src else None
    version = _version(params, name)
    if not present:
        if kind == "cuda" and not (version or path):
            raise NvidiaError("Which toolkit is to go? Set version (12.6) or toolkit_path (/usr/local/cuda-12.6).")
        return Wanted(kind, False, None, None, None, None, version, path or _default_path(kind, version))
    origin = _origin(params, src)
    checksum = _checksum(params, name)
    if version is None and origin != "host":
        raise NvidiaError(
            f"The name {name} does not tell the version, so that nobody can say without the file whether it is "
            "installed. Set version, or keep the name that NVIDIA gave the file."
        )
    _refuse_pairs(params, kind, version)
    return Wanted(kind, True, origin, src, name, checksum, version, path or _default_path(kind, version))


def with_version(asked, version):
    """The same request, once the file has told its version."""
    return asked._replace(version=version, toolkit_path=asked.toolkit_path or _default_path(asked.kind, version))


def _default_path(kind, version):
    return f"/usr/local/cuda-{'.'.join(version.split('.')[:2])}" if kind == "cuda" and version else None


def _refuse_of_other_kind(params, kind):
    table, meant = (DRIVER_ONLY, "a driver") if kind == "cuda" else (CUDA_ONLY, "CUDA")
    wrong = [name for name, default in table.items() if params[name] != default]
    if wrong:
        raise NvidiaError(f"{', '.join(wrong)} can be set for {meant} only, and kind is {kind}. Leave it out.")


def _refuse_numbers(params):
    if params["timeout"] <= 0:
        raise NvidiaError(
            f"timeout is {params['timeout']}; give the seconds that one installation may take, such as 3600."
        )
    for name in ("tmpdir", "kernel_source_path", "signing_key", "signing_certificate"):
        if params[name] and not params[name].startswith("/"):
            raise NvidiaError(f"{name} is {params[name]}; give the whole path on the host, beginning with /.")


def _refuse_pairs(params, kind, version):
    if bool(params["signing_key"]) != bool(params["signing_certificate"]):
        lone = "signing_certificate" if params["signing_key"] else "signing_key"
        raise NvidiaError(f"The modules can only be signed with a key and its certificate: set {lone} as well.")
    if params["kernel_source_path"] and len(params["kernels"]) > 1:
        raise NvidiaError("kernel_source_path holds one kernel's source: name that one kernel in kernels.")
    if kind != "cuda" and version:
        lacking = options.missing(params, version)
        if lacking:
            told = ", ".join(f"{word} (since {first})" for word, first in lacking.items())
            raise NvidiaError(
                f"The installer of {version} does not know {told}. Leave that out, or take a newer driver."
            )


def _toolkit_path(params):
    path = params["toolkit_path"]
    if not path:
        return None
    if not path.startswith("/") or posixpath.normpath(path) != (path.rstrip("/") or "/"):
        raise NvidiaError(
            f"toolkit_path is {path}; give a whole path such as /usr/local/cuda-12.6, without . and .. in it."
        )
    path = path.rstrip("/") or "/"
    if SYSTEM_FOLDERS.fullmatch(path):
        raise NvidiaError(
            f"toolkit_path is {path}, which is not a folder of one toolkit's own. Leave it out for /usr/local/cuda-X.Y."
        )
    return path


def _version(params, name):
    """The version as exactly as parameter and name together tell it."""
    given = params["version"]
    if given and not VERSION.fullmatch(given):
        raise NvidiaError(f"version is {given}; give it as NVIDIA writes it, such as 580.159.04 or 12.6.3.")
    named = header.parse_name(name) if name else None
    if named is None:
        return given
    wrong = header.mismatch(named, params["kind"], given, None, name)
    if wrong:
        raise NvidiaError(wrong)
    return max(given or "", named.version, key=lambda text: text.count(".") if text else -1)


def _origin(params, src):
    if not src:
        raise NvidiaError("Which file? Set src to an address, a path on the host (with remote_src) or a file here.")
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://", src)
    if scheme and scheme[1].lower() not in ("http", "https", "file"):
        raise NvidiaError(f"src begins with {scheme[0]}; addresses of http, https and file can be fetched.")
    if scheme and params["remote_src"]:
        raise NvidiaError("src is an address, which the host fetches itself: leave remote_src out.")
    if scheme:
        return "url"
    if params["remote_src"] and not src.startswith("/"):
        raise NvidiaError(f"src is {src}; with remote_src give the whole path on the host, beginning with /.")
    return "host" if params["remote_src"] else "controller"


def _checksum(params, name):
    text = (params["sha256"] or "").strip()
    digits = text.split(":", 1)[1] if text.lower().startswith("sha256:") else text
    if re.fullmatch(r"[0-9a-fA-F]{64}", digits):
        return digits.lower()
    if not text:
        raise NvidiaError(f"{name} is run as root, so its checksum must be known: set sha256. {GET_CHECKSUM}")
    if re.fullmatch(r"(md5:)?[0-9a-fA-F]{32}", text):
        raise NvidiaError(
            f"sha256 holds an MD5 sum, as NVIDIA publishes them for CUDA; files can be forged to fit one. "
            f"{GET_CHECKSUM}"
        )
    raise NvidiaError(
        f"sha256 must be 64 hexadecimal digits, sha256: before them or not; it has {len(digits)} characters."
    )
