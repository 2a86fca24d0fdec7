# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the driver's installer and uninstaller; after a failure the driver that was there works again."""

from __future__ import annotations

from contextlib import nullcontext

from ansible_collections.gpufleet.nvidia.plugins.module_utils import (
    _dkms_build,
    _runfile_dkms,
    _runfile_log,
    _runfile_options,
)
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_installed as installed
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_kept as kept
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, NvidiaError

LOG = _runfile_options.LOGS["driver"]
UNINSTALL_LOG = "/var/log/nvidia-uninstall.log"
UNINSTALLERS = ("/usr/bin/nvidia-uninstall", "/usr/bin/nvidia-installer")


def run(system, argv, params, log=LOG):
    """None when the program ended well, else a sentence with the reasons that its log gives."""
    before = system.read(log)
    try:
        result = system.run(argv, timeout=params["timeout"], env={"TMPDIR": params["tmpdir"]})
    except CommandTimeout as exc:
        return f"{exc} Set timeout to more seconds if the machine is slow."
    if result.rc == 0:
        return None
    after = system.read(log)
    fresh = after if after != before else None  # the log of an earlier run explains nothing
    return f"It ended with {result.rc}. " + _runfile_log.explain(fresh, log, result.out + "\n" + result.err)


def named_kernel(system, kernel):
    """The kernel for the command line: None for the running one, whose name the installer finds out by itself."""
    running = (system.read("/proc/sys/kernel/osrelease") or "").strip()
    return None if kernel == running else kernel


def refuse_unready(system, params, kernels):
    """What can be seen before the installer has touched anything."""
    if not kernels:
        raise NvidiaError(
            "There is no kernel under /lib/modules that modules could be built for. Install one with its headers, or "
            "name it in kernels. Nothing was changed."
        )
    unknown = [kernel for kernel in kernels if not system.exists(f"/lib/modules/{kernel}")]
    if unknown:
        raise NvidiaError(
            f"This host has no kernel {', '.join(unknown)} under /lib/modules. Name installed ones in kernels, or "
            "leave it out. Nothing was changed."
        )
    if params["dkms"] and not system.which("dkms"):
        raise NvidiaError(
            "dkms is true, and the program dkms is not there. Install the package dkms. Nothing was changed."
        )
    for name in ("signing_key", "signing_certificate"):
        if params[name] and not system.exists(params[name]):
            raise NvidiaError(f"{name} is {params[name]}, and there is no such file on the host. Nothing was changed.")


def install(system, params, asked, path, before, kernels):
    """:raises NvidiaError: with the installer's reasons, and with what became of the driver that was there"""
    built = _dkms_build.observe(system)
    arguments = _runfile_options.driver(params, asked.version, named_kernel(system, kernels[0]))
    is_again = params["dkms"] and before is not None and before.version == asked.version
    room = _runfile_dkms.cleared(system, asked.version, kernels) if is_again else nullcontext()
    try:
        with room:
            failure = run(system, ["sh", path, *arguments], params) or what_is_missing(system, asked, kernels[0])
            if failure:
                raise NvidiaError(failure)
    except NvidiaError as exc:
        said = put_back(system, params, before, built)
        raise NvidiaError(f"{asked.name} could not be installed. {exc}\n{said}") from exc
    remember(system, params, asked, path, arguments)
    for kernel in kernels[1:]:
        build_modules(system, params, asked, path, kernel)
    if params["dkms"]:
        _runfile_dkms.register(system, params, asked.version, kernels)


def what_is_missing(system, asked, kernel):
    """Why what an installer left cannot be used although it said that all was well, or None."""
    try:
        now = installed.observe_driver(system, [kernel])
    except NvidiaError as exc:
        return str(exc)
    if now is None or now.version != asked.version:
        return f"Its exit status was 0, but the driver is {now.version if now else 'not there'} afterwards. See {LOG}."
    if now.kernels[kernel] is None:
        return f"Its exit status was 0, but there is no module for kernel {kernel} afterwards. See {LOG}."
    return None


def build_modules(system, params, asked, path, kernel):
    """Modules for one more kernel, by DKMS where the driver is registered there, else by the installer.

    A driver that DKMS has lost is registered anew, as long as its sources are there: ``dkms install`` does that.
    """
    can_register = params["dkms"] and _runfile_dkms.has_sources(system, asked.version)
    if can_register or _runfile_dkms.is_known(system, asked.version):
        _runfile_dkms.build(system, params, asked.version, kernel)
        return
    arguments = _runfile_options.modules(params, asked.version, named_kernel(system, kernel))
    failure = run(system, ["sh", path, *arguments], params)
    if failure is None and installed.modules(system, [kernel])[kernel] is None:
        failure = f"Its exit status was 0, but there is no module afterwards. See {LOG}."
    if failure:
        raise NvidiaError(
            f"The kernel modules of {asked.version} for {kernel} could not be built; the driver itself is untouched. "
            f"{failure}"
        )


def remember(system, params, asked, path, arguments):
    """Keeps the file of what is installed now, and forgets the one before."""
    record = kept.read(system)
    if not params["keep_file"]:
        kept.write(system, record._replace(driver=None))
        kept.forget_files(system)
        return
    target = kept.path_for(asked.name)
    if path != target:
        kept.make_folder(system)
        if system.run(["cp", "--reflink=auto", path, target], timeout=600).rc != 0:
            system.remove(target)
            return
    told = {
        "kind": asked.kind,
        "version": asked.version,
        "file": target,
        "sha256": asked.sha256,
        "arguments": arguments,
    }
    kept.write(system, record._replace(driver=told))
    kept.forget_files(system, keep=target)


def put_back(system, params, before, built):
    """Makes the machine what it was before an installation failed; says how that ended. Never raises NvidiaError."""
    try:
        return _put_back(system, params, before, built)
    except NvidiaError as exc:
        return f"Putting the host back failed too, look at it by hand: {exc}"


def _put_back(system, params, before, built):
    remove_strangers(system, built)
    now = installed.observe_driver(system, list(before.kernels) if before else [])
    if before is None:
        if now is None:
            return "There was no driver, and there is none now."
        failure = uninstall(system, params)
        return failure or "What it had put there was uninstalled again; there is no driver, as before."
    if now == before:
        return f"The driver {before.version} that was there is untouched."
    known = kept.read(system).driver
    if not known or (known["kind"], known["version"]) != (before.kind, before.version):
        return (
            f"The driver {before.version} that was there is no longer complete, and its file is not kept on this host: "
            f"install {before.version} again by naming its file."
        )
    failure = run(system, ["sh", known["file"], *known["arguments"]], params)
    now = installed.observe_driver(system, list(before.kernels))
    if failure or now is None or now.version != before.version:
        told = f"The driver {before.version} that was there could not be put back from {known['file']}."
        return f"{told} {failure or ''}".rstrip()
    return f"The driver {before.version} that was there was installed again from {known['file']}."


def remove_strangers(system, built):
    """Takes from DKMS what the failed attempt registered."""
    known = {(item.name, item.version) for item in built}
    for item in _dkms_build.observe(system):
        if (item.name, item.version) not in known:
            system.run(_dkms_build.argv_remove(item.name, item.version), timeout=300)


def uninstall(system, params):
    """None when the driver is gone, else why not."""
    program = next((path for path in UNINSTALLERS if system.exists(path)), None)
    if program is None:
        return None
    words = _runfile_options.UNINSTALL if program == UNINSTALLERS[0] else ["--uninstall", *_runfile_options.UNINSTALL]
    failure = run(system, [program, *words], params, log=UNINSTALL_LOG)
    if failure is None and installed.observe_driver(system, []) is not None:
        failure = f"Its exit status was 0, but the driver is still there. See {UNINSTALL_LOG}."
    return f"The driver could not be uninstalled. {failure}" if failure else None


def remove(system, params):
    failure = uninstall(system, params)
    if failure:
        raise NvidiaError(failure)
    record = kept.read(system)
    if record.driver:
        kept.write(system, record._replace(driver=None))
    kept.forget_files(system)
