# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CUDA toolkits of a host, read from the disk: no toolkit's program is run."""

from __future__ import annotations

import hashlib
import json
import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils._cuda_packages import observe as observe_packages

DEFAULT = "/usr/local/cuda"
FOLDER = re.compile(r"cuda-(\d+\.\d+)")
# What the role cuda writes; the plan compares their checksums.
FILES = (
    "/etc/profile.d/gpufleet-nvidia-cuda.sh",
    "/etc/ld.so.conf.d/gpufleet-nvidia-cuda.conf",
    "/etc/apt/preferences.d/gpufleet-nvidia-cuda",
)
# A toolkit of the distribution has its compiler among everybody's programs and its parts in a folder of its own.
DISTRIBUTION = ("/usr/bin/nvcc", "/usr/lib/nvidia-cuda-toolkit")


def parse_version_json(text):
    """(version of the compiler, version of the toolkit) of a toolkit's version.json; None for what it does not say."""
    try:
        data = json.loads(text or "")
        rows = {name: str(row.get("version") or "") for name, row in data.items()}
    except (AttributeError, ValueError):
        return None, None
    compiler, toolkit = rows.get("cuda_nvcc", ""), rows.get("cuda", "")
    return (
        compiler if re.fullmatch(r"\d+\.\d+\.\d+", compiler) else None,
        toolkit if re.fullmatch(r"\d+\.\d+(\.\d+)?", toolkit) else None,
    )


def parse_header(text):
    """The release that ``cuda.h`` is of, such as 12.6, or None."""
    found = re.search(r"^#define\s+CUDA_VERSION\s+(\d+)", text or "", re.M)
    return f"{int(found[1]) // 1000}.{int(found[1]) % 1000 // 10}" if found else None


def is_update(version, release):
    """True for 12.6.3 of release 12.6, and not for 12.6.20240 or 11.8.20220929, which count builds."""
    return bool(version and release and re.fullmatch(rf"{re.escape(release)}\.\d{{1,2}}", version))


def toolkit(system, path, packages):
    """What lies in a folder of a toolkit, or None when it has neither a compiler nor a runtime."""
    name = FOLDER.fullmatch(path.rsplit("/", 1)[-1])
    compiler, whole = parse_version_json(system.read(f"{path}/version.json"))
    release = name[1] if name else None
    if release is None:
        release = ".".join(whole.split(".")[:2]) if whole else parse_header(system.read(f"{path}/include/cuda.h"))
    nvcc = f"{path}/bin/nvcc" if system.exists(f"{path}/bin/nvcc") else None
    if nvcc is None and not any(entry.startswith("libcudart.so") for entry in system.entries(f"{path}/lib64")):
        return None
    suffix = (release or "").replace(".", "-")
    known = {row["name"]: row for row in packages}
    part = next(
        (f"{n}-{suffix}" for n in ("cuda-nvcc", "cuda-minimal-build", "cuda-cudart") if f"{n}-{suffix}" in known), None
    )
    metas = (f"{n}-{suffix}" for n in ("cuda-toolkit", "cuda-compiler", "cuda-libraries", "cuda-minimal-build"))
    meta = next((name for name in metas if name in known), None)
    if path == "/opt/cuda" and "cuda" in known:
        part = meta = "cuda"
    source = "repository" if part or meta else "runfile" if is_runfile(system, path) else "unknown"
    if part == "cuda":
        source = "distribution"
    packaged = upstream(known[part]["version"]) if part and part.startswith("cuda-nvcc") else None
    update = next(
        (v for v in (upstream(known[meta]["version"]) if meta else None, whole) if is_update(v, release)), None
    )
    return {
        "release": release,
        "version": packaged or compiler,
        "update": update,
        "path": path,
        "nvcc": nvcc,
        "source": source,
        "package": meta or part,
    }


def is_runfile(system, path):
    """True where NVIDIA's runfile left the program that removes it again."""
    return any(system.exists(f"{path}/bin/{name}") for name in ("cuda-uninstaller", "uninstall_cuda_toolkit.pl"))


def upstream(version):
    """``12.6.85-1`` gives 12.6.85, and Debian's ``12.4.131~12.4.1-2`` gives 12.4.131."""
    return re.split(r"[-~+]", version.split(":", 1)[-1], maxsplit=1)[0]


def distribution_toolkit(system, packages):
    """The distribution's own toolkit, spread over /usr, or None."""
    nvcc, folder = DISTRIBUTION
    package = next((row for row in packages if row["name"] == "nvidia-cuda-toolkit"), None)
    if not system.exists(nvcc) or not (package or system.exists(folder)):
        return None
    version = upstream(package["version"]) if package else None
    release = ".".join(version.split(".")[:2]) if version else parse_header(system.read("/usr/include/cuda.h"))
    update = re.search(r"~(\d+\.\d+\.\d+)", package["version"]) if package else None
    return {
        "release": release,
        "version": version,
        "update": update[1] if update and is_update(update[1], release) else None,
        "path": "/usr",
        "nvcc": nvcc,
        "source": "distribution" if package else "unknown",
        "package": package["name"] if package else None,
    }


def checksums(system):
    """{path: SHA-256} of the role's files that are there."""
    texts = {path: system.read_bytes(path) for path in FILES}
    return {path: hashlib.sha256(data).hexdigest() for path, data in texts.items() if data is not None}


def observe(system, package_manager):
    """``{toolkits, default, packages, files}``: see RETURN of gpu_facts."""
    folders = [f"/usr/local/{name}" for name in system.entries("/usr/local") if FOLDER.fullmatch(name)]
    folders = [path for path in folders if system.link(path) is None]
    target = system.real(DEFAULT) if system.exists(DEFAULT) else None
    folders += [path for path in ("/opt/cuda", target) if path and path not in folders and system.exists(path)]
    packages = observe_packages(system, package_manager, folders)
    found = [toolkit(system, path, packages) for path in folders]
    toolkits = sorted(
        (row for row in found if row), key=lambda row: [int(n) for n in (row["release"] or "0").split(".")]
    )
    own = distribution_toolkit(system, packages)
    default = None
    if target:
        release = next((row["release"] for row in toolkits if row["path"] == target), None)
        alternatives = (system.link(DEFAULT) or "").startswith("/etc/alternatives/")
        default = {"path": target, "release": release, "alternatives": alternatives}
    return {
        "toolkits": toolkits + ([own] if own else []),
        "default": default,
        "packages": packages,
        "files": checksums(system),
    }
