# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages are an NVIDIA driver's, told by their names and by what they are built from."""

from __future__ import annotations

import re

# Source packages that make up a driver: Debian's, Ubuntu's and NVIDIA's own.
SOURCE = re.compile(
    r"nvidia-(graphics-drivers|open-gpu-kernel-modules|open|kmod|driver|kernel|dkms|persistenced|settings|modprobe"
    r"|xconfig|support|firmware|fabricmanager|imex)([-.].*)?"
    r"|firmware-nvidia([-.].*)?|xserver-xorg-video-nvidia.*|libnvidia-.*"
    r"|cuda-drivers.*|fabric-manager-\d+|nvlsm|libnvsdm.*"
)
# Names, for package managers that do not tell the source, and for packages that are built from another one.
NAME = re.compile(
    r"(x11-video-)?nvidia-(driver|drivers?-G\d+|kernel|open|kmod|dkms|utils|lts|compute|smi|firmware|headless"
    r"|persistenced|settings|modprobe|xconfig|fabric-?manager|imex|gfx|gl|video|libXNVCtrl|tesla)([-.].*)?"
    r"|nvidia(-lts)?(-open)?(-dkms)?|(dkms|kmod)-nvidia(-.*)?|libnvidia-.*|libcuda1|libnvcuvid.*|cuda-drivers.*"
    r"|firmware-nvidia.*|linux-(modules|objects|signatures)-nvidia-.*|xserver-xorg-video-nvidia.*|opencl-nvidia.*"
    r"|lib32-nvidia-utils|nvlsm"
)
# Some are built from the same sources and are of use without a driver, or beside another one; the container toolkit,
# the EGL platforms, the toolkit's headers and the bindings for Python have lives and versions of their own.
NEITHER = re.compile(
    r"(cuda-compat|libxnvctrl|nvidia-cuda-(toolkit|dev|doc|gdb|samples)|libnvidia-(container|egl-|ml-py|ml-dev)).*"
)


def is_driver(name, source):
    """True for a package that belongs to an NVIDIA driver.

    :param name: may carry an architecture, ``libcuda1:i386``
    :param source: name of its source package, empty where it is not known
    """
    bare = name.split(":", 1)[0]
    if NEITHER.fullmatch(bare) or NEITHER.fullmatch(source or ""):
        return False
    return bool(SOURCE.fullmatch(source or "") or NAME.fullmatch(bare))
