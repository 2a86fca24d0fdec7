# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a model's folder: its record, its files, whether it is whole, what its config.json says."""

from __future__ import annotations

import json
from collections import namedtuple

from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_model_files import OWN, RECORD

# record: what the last fetch wrote, or None; files: {name: size}; missing: what is not there or not whole
Seen = namedtuple("Seen", "exists record files missing config")

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
HEADER_LIMIT = 64 * 1024 * 1024
POINTER = b"version https://git-lfs.github.com/spec/"


def observe(system, path):
    """Seen of a folder; it reads names, sizes and small files, and of safetensors the header."""
    record = parsed(system.read(f"{path}/{RECORD}"))
    files = sizes(system, path) if system.exists(path) else {}
    recorded = record.get("files") if record else None
    missing = absent(recorded, files) if isinstance(recorded, dict) else unwhole(system, path, files)
    missing += [name for name in indexed(system, path, files) if name not in files and name not in missing]
    return Seen(system.exists(path), record, files, sorted(missing), parsed(system.read(f"{path}/config.json")))


def parsed(text):
    """The object that a text holds as JSON, or None."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def sizes(system, path):
    """{name: bytes} of the model's own files."""
    told = system.run(["find", "-L", path, "-type", "f", "-printf", "%s\\t%P\\0"], timeout=120)
    rows = (row.split("\t", 1) for row in told.out.strip("\n").split("\0") if "\t" in row)
    return {name: int(size) for size, name in rows if not name.startswith(OWN) and not name.endswith(".incomplete")}


def absent(recorded, files):
    """Names of recorded files that are not there in their size."""
    return [name for name, row in recorded.items() if files.get(name) != row.get("size")]


def indexed(system, path, files):
    """Names that the indexes of the weights tell."""
    names = set()
    for index in files:
        if index.endswith(".index.json"):
            told = parsed(system.read(f"{path}/{index}")) or {}
            names |= set(map(str, (told.get("weight_map") or {}).values()))
    return sorted(names) if any(name.endswith(".safetensors") for name in names) else []


def unwhole(system, path, files):
    """Names of weights that are a stand-in of git-lfs, or safetensors that end too early."""
    return [name for name, size in files.items() if name.endswith(WEIGHTS) and not is_whole(system, path, name, size)]


def is_whole(system, path, name, size):
    if size < 1024 and (system.read_bytes(f"{path}/{name}", 64) or b"").startswith(POINTER):
        return False
    return not name.endswith(".safetensors") or ends_well(system, f"{path}/{name}", size)


def ends_well(system, path, size):
    """Whether a file of safetensors is as long as its header says; one that cannot be judged counts as whole."""
    start = system.read_bytes(path, 8) or b""
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length + 8 > size:
        return False
    if length > HEADER_LIMIT:
        return True
    header = parsed((system.read_bytes(path, 8 + length) or b"")[8:].decode("utf-8", "replace")) or {}
    ends = [row["data_offsets"][1] for row in header.values() if isinstance(row, dict) and "data_offsets" in row]
    return 8 + length + max(ends, default=0) <= size


def weight_bytes(files):
    """Bytes of the weights that vLLM loads: those in safetensors, or else of the other formats."""
    for endings in (WEIGHTS[:1], WEIGHTS[1:]):
        found = sum(size for name, size in files.items() if name.endswith(endings))
        if found:
            return found
    return 0


def facts(seen, path):
    """What the plan of the role wants to know of a model."""
    return {
        "exists": seen.exists,
        "path": path,
        "config": seen.config,
        "missing": seen.missing,
        "bytes": weight_bytes(seen.files),
        "revision": (seen.record or {}).get("commit"),
    }
