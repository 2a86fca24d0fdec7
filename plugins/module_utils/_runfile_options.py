# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command lines of NVIDIA's installers, as data: which parameter becomes which option, for which kind of file.

Driver: `option_table.h` of nvidia-installer; CUDA: the CUDA installation guide for Linux, "Advanced Options".
"""

from __future__ import annotations

LOGS = {
    "driver": "/var/log/nvidia-installer.log",
    "vgpu_manager": "/var/log/nvidia-installer.log",
    "grid": "/var/log/nvidia-installer.log",
    "cuda": "/var/log/cuda-installer.log",
}

# --no-questions and the licence are in --silent; what is left says what the silent answers would get wrong.
DRIVER_ALWAYS = ["--silent", "--no-rebuild-initramfs"]
# The driver that CUDA's file may hold is never asked for, so that its options (--no-drm …) are not needed.
# Manual pages would go to /usr/share/man, where those of two toolkits are in each other's way.
CUDA_ALWAYS = ["--silent", "--toolkit", "--no-man-page"]

# parameter -> {value: option}; a value that is not there adds nothing
DRIVER_SWITCHES = {
    "dkms": {True: "--dkms", False: "--no-dkms"},
    "disable_nouveau": {True: "--disable-nouveau", False: "--no-disable-nouveau"},
    "nouveau_check": {False: "--no-nouveau-check"},
    "x_check": {False: "--no-x-check"},
    "opengl": {False: "--no-opengl-files"},
    "load_modules": {False: "--skip-module-load"},
    "allow_running_driver": {True: "--allow-installation-with-running-driver"},
}
CUDA_SWITCHES = {"compiler_check": {False: "--override"}}

# parameter -> option that takes its text
DRIVER_TEXTS = {
    "module_type": "--kernel-module-type",
    "kernel_source_path": "--kernel-source-path",
    "signing_key": "--module-signing-secret-key",
    "signing_certificate": "--module-signing-public-key",
    "tmpdir": "--tmpdir",
}
CUDA_TEXTS = {"toolkit_path": "--toolkitpath", "tmpdir": "--tmpdir"}

# Options that older installers lack, with the first branch that has them (the history of option_table.h).
SINCE = {
    "--kernel-module-build-directory": 515,
    "--allow-installation-with-running-driver": 545,
    "--no-rebuild-initramfs": 545,
    "--skip-module-load": 550,
    "--kernel-module-type": 555,
}
# What an older installer does anyway when the option is left out.
NEEDLESS = ("--no-rebuild-initramfs", "--kernel-module-build-directory=kernel")
FOLDERS = {"open": "kernel-open", "proprietary": "kernel"}

UNINSTALL = ["--silent"]


def driver(params, version, kernel=None):
    """Options of the driver's installer; *kernel* is named when it is not the running one."""
    return [word for word in _driver_words(params, version, kernel) if has(version, word)]


def _driver_words(params, version, kernel):
    words = [*DRIVER_ALWAYS, *_switches(params, DRIVER_SWITCHES)]
    for name, option in DRIVER_TEXTS.items():
        value = params.get(name)
        if value and name == "module_type" and not has(version, option):
            words.append(f"--kernel-module-build-directory={FOLDERS[value]}")
        elif value:
            words.append(f"{option}={value}")
    return [*words, f"--kernel-name={kernel}"] if kernel else words


def has(version, word):
    """Whether the installer of that driver version knows the option."""
    return int(version.split(".")[0]) >= SINCE.get(word.split("=")[0], 0)


def missing(params, version):
    """Options that the parameters need and the installer of that version lacks, with the first branch that has them."""
    words = [word for word in _driver_words(params, version, None) if not has(version, word) and word not in NEEDLESS]
    return {word: SINCE[word.split("=")[0]] for word in words}


def modules(params, version, kernel):
    """Options that build and install the modules for one more kernel and leave everything else as it is."""
    return [*driver({**params, "dkms": False}, version, kernel), "--kernel-modules-only"]


def cuda(params, path):
    """Options of CUDA's installer for a toolkit in *path*."""
    given = {**params, "toolkit_path": path}
    words = [f"{option}={given[name]}" for name, option in CUDA_TEXTS.items() if given.get(name)]
    return [*CUDA_ALWAYS, *_switches(given, CUDA_SWITCHES), *words]


def _switches(params, table):
    return [options[params[name]] for name, options in table.items() if params.get(name) in options]
