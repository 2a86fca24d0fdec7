# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one collective of nccl-tests over the chosen GPUs and judges it by its largest size."""

from __future__ import annotations

import re

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nccl_output, _nccl_test_build
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _preflight_holders as holders
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, NvidiaError

SIZE = re.compile(r"\d+[KMG]?")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What keeps GPUs open without using them.
QUIET = ("nvidia-persiste", "nv-fabricmanage", "nvidia-fabricma", "nv-hostengine", "nvidia-gridd", "dcgm-exporter")
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
LINES = 15


def size_of(text):
    """``1G`` gives 1073741824."""
    if not SIZE.fullmatch(text):
        raise NvidiaError(f"{text!r} is no size: write bytes, or a number with K, M or G, such as 1G.")
    return int(text.rstrip("KMG")) * UNITS[text[len(text.rstrip("KMG")) :]]


def folder(params):
    """Where the programs are, or will be."""
    source = params["source"]
    return f"{_nccl_test_build.folder_of(source)}/build" if source else params["binaries"]


def environment(params):
    """The whole environment of the test: nothing of the caller's own goes in, so nothing of it can come out.

    :raises NvidiaError: for a name that is none
    """
    bad = [name for name in params["env"] if not NAME.fullmatch(name)]
    if bad:
        raise NvidiaError(f"env has {bad[0]!r}, which is no name of a variable: letters, digits and underscores.")
    base = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C"}
    if params["devices"]:
        base["CUDA_VISIBLE_DEVICES"] = ",".join(params["devices"])
    return {**base, **{name: str(value) for name, value in params["env"].items()}}


def command(params, program, output):
    """The argv of the test; *output* is the path for its JSON, or None."""
    gpus = 1 if params["launcher"] else len(params["devices"]) or params["gpus"]
    words = ["-b", params["min_bytes"], "-e", params["max_bytes"], "-f", str(params["factor"]), "-g", str(gpus)]
    words += ["-n", str(params["iterations"]), "-w", str(params["warmup"]), "-c", "1", "-d", params["datatype"]]
    words += ["-o", params["operation"]] if params["operation"] else []
    words += ["-J", output] if output else []
    return [*params["launcher"], program, *words]


def check(params, system):
    """Refuses what cannot be meant, before a GPU is touched."""
    low, high = size_of(params["min_bytes"]), size_of(params["max_bytes"])
    if low > high:
        raise NvidiaError(f"min_bytes {params['min_bytes']} is more than max_bytes {params['max_bytes']}.")
    if params["factor"] < 2:
        raise NvidiaError("factor must be 2 or more: each size is that many times the one before.")
    if not params["devices"] and not params["launcher"] and params["gpus"] < 1:
        raise NvidiaError("gpus must be 1 or more, or devices must name GPUs by index or UUID.")
    busy = [] if params["allow_busy"] else [row for row in holders.observe(system) if row.program not in QUIET]
    if busy:
        who = ", ".join(f"{row.program} (process {row.pid} of {row.user})" for row in busy[:5])
        raise NvidiaError(
            f"The GPUs are in use by {who}: a measurement would disturb them and be wrong. Stop them, or set"
            " allow_busy: true."
        )


def judge(result, minimum):
    """``(largest, problems)``: the row of the largest size, with the bandwidth that counts, and sentences.

    The lower one of out-of-place and in-place counts; the average that the program prints mixes small sizes in.
    """
    row = max(result["rows"], key=lambda one: one["size"])
    sides = [row[side]["bus_bandwidth"] for side in ("out_of_place", "in_place") if row[side]]
    problems = []
    if result["wrong"]:
        problems.append(
            f"{result['wrong']} values were wrong: a GPU, a link or the library computes falsely. Look at the kernel"
            " log for Xid messages, and test the GPUs one by one (devices)."
        )
    if not sides:
        return {"size": row["size"], "bus_bandwidth": None}, [*problems, "The largest size has no bandwidth in it."]
    lowest = min(sides)
    if minimum is not None and lowest < minimum:
        problems.append(
            f"The bus bandwidth at {row['size']} bytes is {lowest:.1f} GB/s, less than the {minimum:g} GB/s that it"
            " must have. Look at the links (nvidia-smi topo -m, nvidia-smi nvlink -s), at NCCL_P2P_DISABLE and"
            " NCCL_P2P_LEVEL, and at ACS and IOMMU where GPUs talk over PCIe."
        )
    return {"size": row["size"], "bus_bandwidth": lowest}, problems


def run(params, system, program):
    """The parsed result of one run.

    :raises NvidiaError: when it fails, hangs or says nothing that can be read; with the end of what it said
    """
    clean = ["env", "-i", *(f"{name}={value}" for name, value in environment(params).items())]
    private = output = None
    if params["json"] and _has_json(system, clean, params, program):
        private = system.run(["mktemp", "-d", "/tmp/gpufleet-nccl-test-XXXXXXXX"]).out.strip()
        output = f"{private}/result.json" if private else None
    argv = command(params, program, output)
    try:
        done = system.run([*clean, *argv], timeout=params["timeout"])
        text = system.read(output) if output else None
    except CommandTimeout as exc:
        raise NvidiaError(
            f"{program} did not end within {params['timeout']:g} s and was stopped. A collective that hangs points at a"
            " link or at peer access: try env NCCL_DEBUG: INFO, NCCL_P2P_DISABLE: 1, and two devices at a time."
        ) from exc
    finally:
        if private:
            system.run(["rm", "-rf", private])
    if done.rc:
        said = "\n".join([line for line in (done.out + done.err).splitlines() if line.strip()][-LINES:])
        raise NvidiaError(f"{' '.join(argv)} ended with {done.rc}:\n{said}")
    result = _nccl_output.parse_json(text) if text else _nccl_output.parse_text(done.out)
    return {**result, "command": argv}


def _has_json(system, clean, params, program):
    """Whether this version of nccl-tests can write JSON: its own help tells."""
    if params["launcher"]:
        return False  # every rank would want the file
    return "--output_file" in system.run([*clean, program, "-h"], timeout=60).out


def ensure(params, system, *, apply):
    """The result of the module `nccl_test`; see its RETURN."""
    source = params["source"]
    building = bool(source) and not _nccl_test_build.is_made(system, source)
    program = f"{folder(params)}/{params['collective']}_perf"
    steps = [f"Make nccl-tests from {source['src']}"] if building else []
    steps.append(f"Run {params['collective']} over the GPUs, up to {params['max_bytes']}")
    if not building and not system.exists(program):
        raise NvidiaError(
            f"There is no {program}: name the folder of nccl-tests' programs in binaries, or give its source."
        )
    if building and not apply:
        _nccl_test_build.check(system, source)
    check(params, system)
    if not apply:
        return {"changed": building, "steps": steps, "measured": False}
    if building:
        _nccl_test_build.make(system, source, params["processors"], params["timeout"])
    result = run(params, system, program)
    largest, problems = judge(result, params["min_bus_bandwidth"])
    return {
        "changed": building,
        "steps": steps,
        "measured": True,
        "largest": largest,
        "problems": problems,
        **result,
    }
