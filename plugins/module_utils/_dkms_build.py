# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules built on the host by DKMS: what is built for which kernel, building, and why a build failed."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _dkms_modules as modules
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _modules_aside as aside
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

TREE = modules.TREE
SOURCES = "/usr/src"
NO_AUTOINSTALL = "/etc/dkms/no-autoinstall"
ARCHITECTURES = ("x86_64", "aarch64", "amd64", "arm64")

ERROR_LINE = re.compile(
    r"\b(fatal )?error\b ?:|: Error \d|\*\*\* |undefined reference|No such file|not found|Killed", re.I
)

# name, version: of the DKMS module; kernels: {release: True when the files are in /lib/modules too}
Built = namedtuple("Built", "name version kernels")


def is_nvidia(name):
    """True for the DKMS name of a GPU driver; GPUDirect Storage (nvidia-fs) and peer memory are other projects."""
    return bool(re.fullmatch(r"nvidia(?!-fs\b|-peermem|-p2p|-gds)(-[a-z0-9.-]+)?", name))


def parse_link(name):
    """Kernel release in the name of a link such as `kernel-6.1.0-50-amd64-x86_64`; None for anything else."""
    match = re.fullmatch(r"kernel-(.+)-({})".format("|".join(ARCHITECTURES)), name)
    return match.group(1) if match else None


def observe(system):
    """Every NVIDIA module in DKMS's tree, as [Built]; reads folders only, as `dkms status` does but in no time.

    A kernel counts when DKMS has installed the module for it; its value is False when a file is gone from /lib/modules
    or is another one there, which DKMS calls a difference between built and installed module.
    """
    found: dict = {}
    for name in system.entries(TREE):
        if not is_nvidia(name):
            continue
        entries = system.entries(f"{TREE}/{name}")
        for version in entries:
            if re.match(r"\d", version):
                found.setdefault((name, version), {})
        for entry in entries:
            kernel = parse_link(entry)
            target = system.link(f"{TREE}/{name}/{entry}") if kernel else None
            if target:
                version = target.split("/")[0]
                is_whole = module_file_exists(system, kernel) and modules.is_intact(system, name, version, kernel)
                found.setdefault((name, version), {})[kernel] = is_whole
    return [Built(name, version, kernels) for (name, version), kernels in sorted(found.items())]


def module_file_exists(system, kernel):
    """True when a file of NVIDIA's modules lies where DKMS puts it for that kernel."""
    base = f"/lib/modules/{kernel}"
    return any(
        entry.startswith("nvidia") and ".ko" in entry
        for folder in modules.FOLDERS
        for entry in system.entries(f"{base}/{folder}")
    )


def versions_by_kernel(built):
    """{kernel release: version} of what is installed completely."""
    return {kernel: item.version for item in built for kernel, intact in item.kernels.items() if intact}


def sources(system, version, folder=SOURCES):
    """Names of NVIDIA's source trees in the folder that have exactly that version and can be built."""
    suffix = "-" + version
    return [
        entry[: -len(suffix)]
        for entry in system.entries(folder)
        if entry.endswith(suffix) and is_nvidia(entry[: -len(suffix)]) and system.exists(f"{folder}/{entry}/dkms.conf")
    ]


def others(system):
    """Names of modules in DKMS's tree that are not NVIDIA's."""
    return [
        name
        for name in system.entries(TREE)
        if not is_nvidia(name) and any(re.match(r"\d", v) for v in system.entries(f"{TREE}/{name}"))
    ]


def leftovers(built, system, wanted=None):
    """[Built] without a source tree any more, or all but those of the *wanted* version when one is given."""
    return [
        item
        for item in built
        if not system.exists(f"{SOURCES}/{item.name}-{item.version}/dkms.conf")
        and (wanted is None or item.version != wanted)
    ]


def default_kernels(system):
    """The running kernel where its modules are on this disk; in an image or container every kernel that is."""
    running = (system.read("/proc/sys/kernel/osrelease") or "").strip()
    installed = [name for name in system.entries("/lib/modules") if system.exists(f"/lib/modules/{name}/modules.dep")]
    return [running] if running in installed else installed


def without_headers(system, kernels):
    """Those of the kernels for which nothing can be built because their headers are not there."""
    return [k for k in kernels if not system.exists(system.real(f"/lib/modules/{k}/build") + "/Makefile")]


def argv_install(name, version, kernel, force=False):
    """Build and install in one; DKMS must be told the kernel, `uname -r` is another one in an image or container."""
    return ["dkms", "install", "-m", name, "-v", version, "-k", kernel] + (["--force"] if force else [])


def argv_remove(name, version):
    return ["dkms", "remove", "-m", name, "-v", version, "--all"]


def decisive_lines(log, limit=25):
    """The lines of a make.log that tell why: the first errors, then the tail; at most *limit*, none twice."""
    lines = list(dict.fromkeys(line.rstrip() for line in log.splitlines() if line.strip()))
    if len(lines) <= limit:
        return lines
    errors = [line for line in lines if ERROR_LINE.search(line)][: limit // 2]
    tail = lines[len(errors) - limit :]
    return [line for line in lines[: len(lines) - len(tail)] if line in errors] + tail


def failure_log(system, name, version, kernel, tree=TREE):
    """(path, text) of the make.log that tells about this build; (None, '') when there is none."""
    base = f"{tree}/{name}/{version}"
    paths = [f"{base}/build/make.log"]
    paths += [f"{base}/{kernel}/{machine}/log/make.log" for machine in system.entries(f"{base}/{kernel}")]
    for path in paths:
        text = system.read(path)
        if text:
            return path, text
    return None, ""


def failure_sentence(system, name, version, kernel, result, tree=TREE):
    """What failed, the lines that say why, and what to do."""
    path, text = failure_log(system, name, version, kernel, tree)
    lines = decisive_lines(text or (result.out + "\n" + result.err))
    where = f"{path} says:" if path else "dkms said:"
    return (
        f"The {name} {version} modules could not be built for kernel {kernel} (dkms ended with {result.rc}). {where}\n"
        + "\n".join(lines)
    )


def state(system, name, version, kernel):
    """True: DKMS has installed the modules for a kernel; False: it has, and they are not what it built; None: not."""
    found = (item for item in observe(system) if (item.name, item.version) == (name, version))
    return next((item.kernels[kernel] for item in found if kernel in item.kernels), None)


def is_lost(system, version, kernel):
    """Whether modules of the version are there that DKMS has not put there, or has forgotten."""
    from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver import observe_on_disk

    found = observe_on_disk(system, kernel)
    return bool(found) and found["version"] == version


def build(system, name, version, kernel, timeout):
    """Build and install one module for one kernel, and look at the result rather than at the exit status alone.

    DKMS has to be forced where it believes that all is well, and where modules of the same version are there that it
    does not know: it would leave those, and not register them. It may replace those and fail then: they wait aside.

    :raises NvidiaError: with the decisive lines of make.log; the modules are as they were
    """
    have = state(system, name, version, kernel)
    force = have is False or (have is None and is_lost(system, version, kernel))
    fresh = force and not system.exists(modules.archive(name, kernel))
    kept = aside.of_kernel(system, kernel) if force else []
    try:
        with aside.aside(system, kept):
            result = system.run(argv_install(name, version, kernel, force), timeout=timeout)
            if result.rc != 0 or not state(system, name, version, kernel):
                raise NvidiaError(failure_sentence(system, name, version, kernel, result))
    except NvidiaError:
        if fresh and modules.archived(system, name, kernel) <= {path.rsplit("/", 1)[1] for path in kept}:
            modules.forget_archive(system, name, kernel)
        raise
    if fresh:
        modules.forget_archive(system, name, kernel)


def trial(system, folder, version, kernel, timeout):
    """Builds the sources that were unpacked below *folder* without touching DKMS's own tree.

    :raises NvidiaError: with the decisive lines of make.log
    """
    tree = f"{folder}/dkms"
    for name in sources(system, version, folder + SOURCES):
        argv = ["dkms", "build", "-m", name, "-v", version, "-k", kernel]
        system.run(["mkdir", "-p", tree])
        result = system.run([*argv, "--sourcetree", folder + SOURCES, "--dkmstree", tree], timeout=timeout)
        if result.rc != 0:
            raise NvidiaError(
                failure_sentence(system, name, version, kernel, result, tree)
                + "\nThis was a trial; the driver that is installed was not touched."
            )


def quietly(system, action):
    """action() with DKMS's package trigger switched off, unless modules of others depend on it.

    The trigger does not know the kernels that we want, and a build that fails in it leaves packages half configured.
    """
    if system.exists(NO_AUTOINSTALL) or others(system):
        return action()
    system.write(NO_AUTOINSTALL, "The driver's modules are built after the package transaction.\n")
    try:
        return action()
    finally:
        system.remove(NO_AUTOINSTALL)
