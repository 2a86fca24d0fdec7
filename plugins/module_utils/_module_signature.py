# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's modules signed with a key: which of them are to be signed, and which signatures are better left."""

from __future__ import annotations

import re
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _kernel as kernel
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _keyrings as keyrings
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _module_sign as tool
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _module_signature_check as check
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok as mok
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_key_pair as pairs
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok_modules as modules
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _signature as signature
from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver import find_module
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

ENDINGS = r"\.ko(?:\.xz|\.gz|\.zst)?"
FOREIGN = {"nvidia-wmi-ec-backlight"}  # the kernel's own, of laptops

Verdict = namedtuple("Verdict", "action why")
Verdict.__doc__ = (
    "action: sign | keep (signed well with this key) | leave (another key's signature stays); why: a phrase"
)


def ensure(params, system, *, apply):
    """The result of the module `module_signature`; see its RETURN."""
    pair = read_pair(system, params)
    ours = mok.described(pair.certificate)
    known = observe_keys(system)
    rows = [
        {**row, **decide(row, ours, known, params["replace"])._asdict()}
        for release in releases(system, params["kernels"])
        for row in observe(system, release, pair, known, params["timeout"])
    ]
    todo = [row for row in rows if row["action"] == "sign"]
    steps = [f"Sign {row['file']} ({row['why']})" for row in todo]
    for release in sorted({row["kernel"] for row in todo}):
        tool.find_tool(system, release)
    if apply:
        for row in todo:
            tool.sign(system, row["file"], row["kernel"], pair, params["timeout"])
        steps += index(system, todo, params["timeout"])
    return {
        "changed": bool(steps),
        "steps": steps,
        "signed": [row["file"] for row in todo],
        "kernels": sorted({row["kernel"] for row in todo}),
        "modules": [
            {name: row[name] for name in ("file", "kernel", "signer", "serial", "action", "why")} for row in rows
        ],
        "diff": {
            "before": {row["file"]: _told(row) for row in rows},
            "after": {row["file"]: _told({**row, **_by(ours)} if row in todo else row) for row in rows},
        },
    }


def read_pair(system, params):
    """:raises NvidiaError: where a half is missing, or they do not belong together"""
    pair = pairs.read(system, params["private_key"], params["certificate"])
    for path, content in ((pair.key, pair.text), (pair.file, pair.certificate)):
        if content is None:
            raise NvidiaError(
                f"{path} is not on this host, so nothing can be signed. Make the pair with gpufleet.nvidia.mok_key, or"
                " name another one."
            )
    if (pair.certificate.key_bits or 0) < 1024:
        raise NvidiaError(
            f"The key of {pair.file} is not RSA, which is the only kind that modules are signed with here."
        )
    pairs.check(system, pair)
    return pair


def releases(system, wanted):
    """The kernels to look at.

    :raises NvidiaError: for one that is named and has no NVIDIA modules
    """
    known = kernel.observe(system)
    installed = [row["release"] for row in known["installed"]]
    for release in wanted:
        if find_module(system, release) is None:
            there = ", ".join(name for name in installed if find_module(system, name)) or "none"
            raise NvidiaError(
                f"There is no NVIDIA module for the kernel {release} (kernels that have some: {there}). Build it first."
            )
    return wanted or installed


def files(system, release):
    """Paths of NVIDIA's modules for a kernel, the main one last: it takes longest."""
    main = find_module(system, release)
    if main is None:
        return []
    name, path = main
    folder = path.rsplit("/", 1)[0]
    form = re.compile(rf"({re.escape(name)}(?:-[a-z][\w-]*)?){ENDINGS}")
    found = [(form.fullmatch(entry), entry) for entry in system.entries(folder)]
    names = [entry for match, entry in found if match and match[1] not in FOREIGN]
    return sorted((f"{folder}/{entry}" for entry in names), key=lambda one: (one == path, one))


def observe_keys(system):
    """_mok_modules.Known, with everything empty on a machine without EFI."""
    owner, database = (mok.listed(system, name, source) or [] for name, source in (("MokListRT", "mok"), ("db", "db")))
    rings = keyrings.observe(system, owner, database)
    running = (system.read("/proc/sys/kernel/osrelease") or "").strip()
    return modules.Known([*owner, *database], mok.listed(system, "MokNew", "mok") or [], rings, running)


def observe(system, release, pair, known, timeout):
    """[row] of a kernel's modules: who signed each, whether well, and whether the kernel trusts that."""
    rows, tree = [], None
    for path in files(system, release):
        data = tool.load(system, path, timeout)
        row = {"kernel": release, "file": path, **signature.parse(data)}
        row["good"] = modules.signed_by(row, mok.described(pair.certificate)) and check.is_good(
            data, pair.certificate.der
        )
        if row["signed"] and not row["good"]:
            tree = tree or modules.in_tree(system, release) or {}
        row["trusted"], row["trusted_by"] = modules.judge(row, known, tree)
        rows.append(row)
    return rows


def decide(row, ours, known, replace):
    """Verdict on one module.

    :param ours: the certificate to sign with, as a dictionary; :param replace: auto | always | never
    """
    if not row["signed"]:
        return Verdict("sign", "it has no signature")
    if row["good"]:
        return Verdict("keep", "it is signed with this key")
    if modules.signed_by(row, ours):
        return Verdict("sign", "its signature with this key does not match its content")
    who = f"it is signed by {row['signer'] or row['key_id'] or 'a signature that cannot be read'}"
    if replace == "always":
        return Verdict("sign", who)
    if replace == "never":
        return Verdict("leave", f"{who}, and replace is never")
    if row["trusted_by"] == "builtin":
        return Verdict("leave", f"{who}, whom the kernel itself trusts")
    if row["trusted"] and not _counts(ours, known):
        return Verdict("leave", f"{who}, whom the kernel trusts, and the key to sign with is not enrolled yet")
    return Verdict("sign", who)


def _counts(ours, known):
    """Whether the firmware and the kernel know the key to sign with."""
    enrolled = any(row["sha1"] == ours["sha1"] for row in known.enrolled)
    return enrolled and keyrings.holding(known.rings, ours) is not False


def index(system, rows, timeout):
    """Has depmod read the modules of a kernel that knew nothing of them; a signature alone changes nothing there."""
    steps = []
    for release in sorted({row["kernel"] for row in rows}):
        base = f"/lib/modules/{release}"
        listed = system.read(f"{base}/modules.dep") or ""
        if all(f"{row['file'][len(base) + 1 :]}:" in listed for row in rows if row["kernel"] == release):
            continue
        answer = system.run(["depmod", release], timeout=timeout)
        if answer.rc != 0:
            raise NvidiaError(
                f"The modules of {release} are signed, and depmod failed: {(answer.err or answer.out).strip()[-200:]}"
            )
        steps.append(f"Have depmod list the modules of {release}")
    return steps


def _by(ours):
    return {"signed": True, "signer": ours["issuer_name"], "serial": ours["serial"], "key_id": None}


def _told(row):
    """A signature in a difference."""
    if not row["signed"]:
        return "unsigned"
    return f"signed by {row['signer'] or 'somebody'} ({row['serial'] or row['key_id'] or 'unreadable'})"
