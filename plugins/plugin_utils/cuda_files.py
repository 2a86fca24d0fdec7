# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a plan for CUDA: where programs and libraries are, for everybody, and what guards the driver."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

PROFILE = "/etc/profile.d/gpufleet-nvidia-cuda.sh"
LINKER = "/etc/ld.so.conf.d/gpufleet-nvidia-cuda.conf"
PREFERENCES = "/etc/apt/preferences.d/gpufleet-nvidia-cuda"
HEADER = "Managed by gpufleet.nvidia, role cuda: changes made here are lost."
DEFAULT = "/usr/local/cuda"
# Names of the driver's packages in NVIDIA's repository, as apt's preferences have them.
DRIVER = (
    "cuda-drivers* libcuda1 libcudadebugger1 libnvcuvid1 libnvidia-* libnvoptix1 nvidia-driver* nvidia-dkms*"
    " nvidia-kernel* nvidia-modprobe nvidia-open* nvidia-persistenced nvidia-settings nvidia-smi nvidia-utils*"
    " nvidia-compute-utils* nvidia-firmware* firmware-nvidia* xserver-xorg-video-nvidia*"
)


def profile_text() -> str:
    """For sh, bash and zsh: the compiler is found, and once only."""
    return f"""\
# {HEADER}
case ":${{PATH}}:" in
  *:{DEFAULT}/bin:*) ;;
  *) PATH="{DEFAULT}/bin:${{PATH}}" ;;
esac
CUDA_HOME="${{CUDA_HOME:-{DEFAULT}}}"
export PATH CUDA_HOME
"""


def linker_text(paths: list[str]) -> str:
    """The libraries of these toolkits, that of ``/usr/local/cuda`` first."""
    return "".join(f"{line}\n" for line in [f"# {HEADER}", f"{DEFAULT}/lib64", *(f"{path}/lib64" for path in paths)])


def preferences_text(url: str | None) -> str:
    """No package of the driver is ever taken from there; None: from nowhere, as a vGPU guest needs it."""
    host = urlsplit(url or "").hostname
    pin = f'origin "{host}"' if host else "release *"
    return f"# {HEADER}\nPackage: {DRIVER}\nPin: {pin}\nPin-Priority: -1\n"


def environment_files(others: list[str], wanted: bool) -> list[dict[str, Any]]:
    """The two files that make a toolkit known to everybody, or their absence.

    :param others: folders of the toolkits of other major releases than the default's
    """
    if not wanted:
        return [{"path": PROFILE, "state": "absent"}, {"path": LINKER, "state": "absent"}]
    return [
        {"path": PROFILE, "content": profile_text(), "mode": "0644"},
        {"path": LINKER, "content": linker_text(others), "mode": "0644"},
    ]


def is_current(file: dict[str, Any], seen: dict[str, str]) -> bool:
    """Whether the host has the file as it shall be.

    :param seen: the fact ``cuda.files``, path → SHA-256 of its content
    """
    if file.get("state") == "absent":
        return file["path"] not in seen
    return seen.get(file["path"]) == hashlib.sha256(file["content"].encode()).hexdigest()
