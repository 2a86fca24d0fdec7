# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs CUDA's installer and uninstaller; after a failure the folder is what it was before.

The installer points /usr/local/cuda at what it installs. Which toolkit that name means is not this module's business:
the link is put back as it was.
"""

from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_installed as installed
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_kept as kept
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_options
from ansible_collections.gpufleet.nvidia.plugins.module_utils._runfile_driver import run
from ansible_collections.gpufleet.nvidia.plugins.module_utils._runfile_header import same_version
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

LOG = _runfile_options.LOGS["cuda"]
LINK = "/usr/local/cuda"
DELETING = 900


def aside(path):
    """Where the toolkit that is being replaced waits."""
    return f"{path}.gpufleet-before"


def delete(system, path):
    done = system.run(["rm", "-rf", "--one-file-system", path], timeout=DELETING)
    if done.rc != 0:
        raise NvidiaError(f"{path} cannot be removed: {done.err.strip()[-300:]}")


def move(system, source, target):
    done = system.run(["mv", "-T", source, target], timeout=DELETING)
    if done.rc != 0:
        raise NvidiaError(f"{source} cannot be moved to {target}: {done.err.strip()[-300:]}")


def begin(system, path):
    record = kept.read(system)
    kept.write(system, record._replace(begun=sorted({*record.begun, path})))


def end(system, path, version=None):
    """Notes that nothing is unfinished there any more; *version* is what is there now, None for nothing of ours."""
    record = kept.read(system)
    toolkits = {name: known for name, known in record.toolkits.items() if name != path}
    if version:
        toolkits[path] = version
    kept.write(system, record._replace(begun=[name for name in record.begun if name != path], toolkits=toolkits))


def restore_link(system, before):
    """Puts /usr/local/cuda back to what it was: the path that it led to, or None for no link."""
    if system.link(LINK) == before:
        return
    if before is None:
        system.remove(LINK)
    else:
        system.symlink(before, LINK)


def observe(system, path, begun):
    """The toolkit, as Toolkit; the one that waits aside counts, for it is put back before anything else."""
    if system.exists(aside(path)):
        return installed.observe_toolkit(system, aside(path), [])._replace(path=path)
    return installed.observe_toolkit(system, path, begun)


def recover(system, path):
    """Puts a toolkit back that waits aside because its replacement was interrupted."""
    if system.exists(aside(path)):
        delete(system, path)
        move(system, aside(path), path)
        end(system, path)


def install(system, params, asked, file, before):
    """:raises NvidiaError: with the installer's reasons; the folder is what it was then"""
    path, link = before.path, system.link(LINK)
    replaced = before.version is not None
    known = kept.read(system).toolkits.get(path)
    begin(system, path)
    if replaced:
        move(system, path, aside(path))
    try:
        failure = attempt(system, params, asked, file, path)
    finally:
        restore_link(system, link)
    if failure:
        said = put_back(system, path, replaced and before.version, known)
        raise NvidiaError(f"{asked.name} could not be installed. {failure}\n{said}")
    end(system, path, asked.version)
    if replaced:
        delete(system, aside(path))


def attempt(system, params, asked, file, path):
    """None when the toolkit is there afterwards, else why not."""
    failure = run(system, ["sh", file, *_runfile_options.cuda(params, path)], params, log=LOG)
    if failure:
        return failure
    try:
        found = installed.toolkit_version(system, path)
    except NvidiaError as exc:
        return str(exc)
    if found and same_version(found, asked.version):
        return None
    return f"Its exit status was 0, but {path} holds {found or 'no toolkit'} afterwards. See {LOG}."


def put_back(system, path, version, known):
    """Makes the folder what it was before a failure; says how that ended. Never raises NvidiaError."""
    try:
        delete(system, path)
        if version:
            move(system, aside(path), path)
        end(system, path, known)
    except NvidiaError as exc:
        return f"Putting the host back failed too, look at it by hand: {exc}"
    return f"CUDA {version} is back in {path}." if version else f"{path} was removed again; it was not there before."


def remove(system, params, toolkit):
    """Uninstalls; of a toolkit that this module installed nothing stays in its folder."""
    program = f"{toolkit.path}/bin/cuda-uninstaller"
    ours = toolkit.path in kept.read(system).toolkits
    if system.exists(program):
        failure = run(system, [program, "--silent"], params, log=LOG)
        if failure:
            raise NvidiaError(f"CUDA in {toolkit.path} could not be uninstalled. {failure}")
    elif not ours:
        raise NvidiaError(
            f"{toolkit.path} has no cuda-uninstaller, and this module has not installed it. Remove it by hand."
        )
    if ours and system.exists(toolkit.path):
        delete(system, toolkit.path)
    if system.exists(f"{toolkit.path}/bin/nvcc"):
        raise NvidiaError(
            f"cuda-uninstaller ended well, but {toolkit.path}/bin/nvcc is still there. Look at {toolkit.path}."
        )
    end(system, toolkit.path)
    remove_link_to(system, toolkit.path)


def remove_link_to(system, path):
    """A /usr/local/cuda that leads straight to a toolkit that is gone would lead nowhere."""
    if (system.link(LINK) or "").rstrip("/") in (path, path.rsplit("/", 1)[-1]) and not system.exists(path):
        system.remove(LINK)
