# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's kernel modules on the disk: who signed each, and whether its kernel trusts that key."""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _keyrings as keyrings
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _signature as signature
from ansible_collections.gpufleet.nvidia.plugins.module_utils._driver import find_module

PARTS = ("", "-modeset", "-drm", "-uvm", "-peermem")
UNREADABLE = {"version": None, "signed": None, "signer": None, "serial": None, "key_id": None, "hash": None}
FIRST_LINES = 4096  # of modules.dep, which names every module of a kernel

Known = namedtuple("Known", "enrolled pending rings running")
Known.__doc__ = """enrolled: certificates (dictionaries) of shim's list and of db, None: unreadable; pending: those that
wait for MokManager; rings: the kernel's keyrings, None: hidden; running: release of the kernel they are from."""


def observe(system, release, whole):
    """The modules of one kernel, the main one first.

    :param whole: read the main module too, which is up to a hundred megabytes, and slow to read where it is
        compressed; else it is taken to be signed like nvidia-modeset, which comes from the same build
    """
    main = find_module(system, release)
    if main is None:
        return []
    name, path = main
    folder, file = path.rsplit("/", 1)
    there: set[str] = set(system.entries(folder))
    rows: list[dict] = []
    for part in PARTS:
        own = f"{name}{part}{file[len(name) :]}"
        if own not in there:
            continue
        sibling = f"{name}-modeset{file[len(name) :]}"
        source = f"{folder}/{sibling if not part and not whole and sibling in there else own}"
        known = next((row for row in rows if row["read_from"] == source), None)
        found = {key: known[key] for key in UNREADABLE} if known else signature.read(system, source) or UNREADABLE
        row = {"kernel": release, "name": f"{name}{part}", "file": f"{folder}/{own}", "read_from": source}
        rows.append({**row, **found, "trusted": None, "trusted_by": None})
    return rows


def signed_by(row, certificate):
    """Whether a module's signature names this certificate."""
    if row["key_id"]:
        return row["key_id"] == certificate["ski"]
    return (
        bool(row["serial"]) and row["serial"] == certificate["serial"] and row["signer"] == certificate["issuer_name"]
    )


def judge(row, known, tree):
    """``(trusted, trusted_by)`` of a module.

    :param known: Known; :param tree: what signature.read gave for a module that came with its kernel, or None
    """
    if not row["signed"] or not (row["serial"] or row["key_id"]):
        return (False if row["signed"] is False else None), None
    own = next((other for other in known.enrolled or [] if signed_by(row, other)), None)
    if own and keyrings.holding(known.rings, own) is not False:
        return True, own["source"]
    if _like_its_kernel(row, tree) or (row["kernel"] == known.running and _built_in(row, known.rings)):
        return True, "builtin"
    if any(signed_by(row, other) for other in known.pending or []):
        return False, "pending"
    hidden = known.enrolled is None or (known.rings is None and row["kernel"] == known.running)
    return (None if hidden else False), None


def _like_its_kernel(row, tree):
    """A kernel trusts the key that signed its own modules, whether it runs or not."""
    return bool(tree and tree["signed"]) and all(row[key] == tree[key] for key in ("signer", "serial", "key_id"))


def _built_in(row, rings):
    """Of its built-in keys a kernel tells the name and the identifier, not the serial number."""
    keys = [*rings["builtin"], *rings["secondary"]] if rings else []
    if row["key_id"]:
        return any(key["id"] == row["key_id"] for key in keys)
    # The name is <organisation>: <common name>, where the second does not begin with the first.
    return any(f": {key['description']}".endswith(f": {row['signer']}") for key in keys)


def in_tree(system, release):
    """What a module that came with a kernel says of its signature, or None."""
    base = f"/lib/modules/{release}"
    lines = (system.read_bytes(f"{base}/modules.dep", FIRST_LINES) or b"").decode("utf-8", "replace").splitlines()
    paths = (line.partition(":")[0] for line in lines[:-1])
    path = next((path for path in paths if path.startswith("kernel/") and "nvidia" not in path), None)
    return signature.read(system, f"{base}/{path}") if path else None


def judged(system, rows, known):
    """The rows with ``trusted`` and ``trusted_by``; a kernel's own modules are looked at where nothing else tells."""
    trees, done = {}, []
    for row in rows:
        trusted, by = judge(row, known, None)
        if not trusted and row["signed"] and (row["serial"] or row["key_id"]):
            if row["kernel"] not in trees:
                trees[row["kernel"]] = in_tree(system, row["kernel"])
            trusted, by = judge(row, known, trees[row["kernel"]])
        done.append({**row, "trusted": trusted, "trusted_by": by})
    return done
