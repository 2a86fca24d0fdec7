# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runfile's driver in DKMS, which builds it for the kernels to come: registered, lost, and registered again."""

from __future__ import annotations

from contextlib import contextmanager

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _dkms_build as dkms
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _modules_aside as aside
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

NAME = "nvidia"  # what NVIDIA's installer calls it there


def has_sources(system, version):
    """Whether DKMS could build the driver: its sources are where the installer left them, or where DKMS has them."""
    at = f"{dkms.TREE}/{NAME}/{version}/source/dkms.conf"
    return bool(version) and (NAME in dkms.sources(system, version) or system.exists(at))


def registered(system, version, kernels):
    """{kernel: as _dkms_build.state}"""
    there = {(item.name, item.version): item.kernels for item in dkms.observe(system)}
    return {kernel: there.get((NAME, version), {}).get(kernel) for kernel in kernels}


def is_known(system, version):
    """Whether DKMS has the driver in its tree, built or not."""
    return any((item.name, item.version) == (NAME, version) for item in dkms.observe(system))


def build(system, params, version, kernel):
    """:raises NvidiaError: with the lines of make.log; the modules that were there are there still"""
    dkms.build(system, NAME, version, kernel, params["timeout"])


@contextmanager
def cleared(system, version, kernels):
    """Readies a host for an installation that registers anew, and for the block's time only should that fail.

    A registration without sources can be neither used nor taken out, and modules that DKMS does not know would keep it
    from installing its own.

    :raises NvidiaError: when a module cannot be put aside: nothing is changed
    """
    if has_sources(system, version):
        yield
        return
    there = [path for kernel in kernels for path in aside.of_kernel(system, kernel, ["updates/dkms"])]
    with aside.aside(system, there, aside.MOVED):
        tree = f"{dkms.TREE}/{NAME}"
        for name in system.entries(tree):
            if name == version or (system.link(f"{tree}/{name}") or "").split("/")[0] == version:
                system.run(["rm", "-rf", "--one-file-system", f"{tree}/{name}"], timeout=60)
        yield


def register(system, params, version, kernels):
    """Registers what the installer did not, though it was asked to.

    :raises NvidiaError: when DKMS cannot have it
    """
    for kernel in kernels:
        if dkms.state(system, NAME, version, kernel):
            continue
        if not has_sources(system, version):
            raise NvidiaError(
                f"The driver {version} is installed and complete, and its installer has not registered it with DKMS:"
                f" there is no {dkms.SOURCES}/{NAME}-{version}. The next kernel would have no modules. Look into"
                " /var/log/nvidia-installer.log, or set dkms to false."
            )
        build(system, params, version, kernel)
