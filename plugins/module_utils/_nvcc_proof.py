# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows that a CUDA toolkit works: its compiler says its release, compiles a small kernel, and a GPU runs it."""

from __future__ import annotations

import re
import time

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError

COUNT = 1 << 20
SUM = 3 * COUNT * (COUNT - 1) // 2  # of i + 2i over all elements

SOURCE = """\
// A sum of two vectors on every GPU, checked by the host. Written by gpufleet.nvidia, removed when the proof is done.
#include <cstdio>
#include <cuda_runtime.h>

__global__ void add(const long long *left, const long long *right, long long *sum, int count)
{
    int index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index < count)
        sum[index] = left[index] + right[index];
}

static long long total(int count)
{
    long long *left = nullptr, *right = nullptr, *sum = nullptr, result = 0;
    size_t size = count * sizeof(long long);
    if (cudaMallocManaged(&left, size) || cudaMallocManaged(&right, size) || cudaMallocManaged(&sum, size))
        return -1;
    for (int i = 0; i < count; i++) {
        left[i] = i;
        right[i] = 2LL * i;
    }
    add<<<(count + 255) / 256, 256>>>(left, right, sum, count);
    if (cudaGetLastError() == cudaSuccess && cudaDeviceSynchronize() == cudaSuccess)
        for (int i = 0; i < count; i++)
            result += sum[i];
    cudaFree(left);
    cudaFree(right);
    cudaFree(sum);
    return result;
}

int main()
{
    int devices = 0;
    cudaError_t error = cudaGetDeviceCount(&devices);
    if (error != cudaSuccess) {
        printf("error %d %s\\n", (int)error, cudaGetErrorString(error));
        return 1;
    }
    for (int device = 0; device < devices; device++) {
        int major = 0, minor = 0;
        cudaSetDevice(device);
        cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
        cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
        long long result = total(%COUNT%);
        error = cudaGetLastError();
        printf("device %d %d.%d %lld %d %s\\n", device, major, minor, result, (int)error, cudaGetErrorString(error));
    }
    return 0;
}
""".replace("%COUNT%", str(COUNT))

# What nvcc says when the host's compiler is the trouble, and what to do about it.
HOST_COMPILER = (
    (r"gcc: No such file|g\+\+: No such file|cc1plus|No supported gcc/g\+\+", "It finds no C++ compiler: install g++."),
    (
        r"unsupported GNU version|unsupported clang version|#error -- unsupported",
        "The host's C++ compiler is newer than this toolkit accepts: install an older one (nvcc names the newest that "
        "it takes) and name it, NVCC_PREPEND_FLAGS='-ccbin g++-VERSION'.",
    ),
)


def parse_version(text):
    """(release, version) from ``nvcc --version``, such as (12.6, 12.6.85); (None, None) for anything else."""
    found = re.search(r"release (\d+\.\d+), V(\d+\.\d+\.\d+)", text or "")
    return (found[1], found[2]) if found else (None, None)


def code_names(capabilities, known):
    """(names of code such as sm_61 that nvcc can make, capabilities that it has none for).

    :param known: what ``nvcc --list-gpu-code`` prints; empty for a compiler too old to know that option
    """
    names = {capability: f"sm_{capability.replace('.', '')}" for capability in capabilities}
    listed = re.findall(r"^sm_\d+\w?$", known or "", re.M)
    missing = [capability for capability, name in names.items() if listed and name not in listed]
    return [name for capability, name in names.items() if capability not in missing], missing


def compile_argv(nvcc, folder, codes):
    """argv that compiles the proof; without codes for the compiler's default."""
    flags = [f"-gencode=arch=compute_{code[3:]},code={code}" for code in codes]
    return [nvcc, *flags, "-o", f"{folder}/proof", f"{folder}/proof.cu"]


def parse_run(text):
    """[{device, capability, sum, error}] that the program prints.

    :raises NvidiaError: when CUDA itself does not come up
    """
    failed = re.search(r"^error (\d+) (.*)$", text or "", re.M)
    if failed:
        raise NvidiaError(
            f"The proof was compiled but CUDA finds no GPU to run it on: {failed[2]} (error {failed[1]}). Error 35 is "
            "a driver older than the toolkit, 100 no device, 802 a Fabric Manager that does not run, 999 mostly a "
            "missing nvidia-uvm module: see `nvidia-smi` and the role nvidia_driver."
        )
    rows = re.findall(r"^device (\d+) (\d+\.\d+) (-?\d+) (\d+) (.*)$", text or "", re.M)
    return [
        {"device": int(number), "capability": capability, "sum": int(total), "error": None if code == "0" else said}
        for number, capability, total, code, said in rows
    ]


def judge(rows, missing):
    """Raises when a GPU that the toolkit has code for did not give the right sum, or none ran at all."""
    able = [row for row in rows if row["capability"] not in missing]
    wrong = [row for row in able if row["sum"] != SUM]
    if wrong or not able:
        said = "; ".join(f"GPU {r['device']} ({r['capability']}): {r['error'] or r['sum']}" for r in wrong)
        raise NvidiaError(
            f"The proof ran but its result is not {SUM}: {said or 'no GPU did the sum'}. Look for Xid lines in the "
            "kernel's log, and whether other programs that use CUDA work."
        )


def asked_version(params, system):
    """(release, version) of the compiler, which must be of the release that was asked for."""
    nvcc = params["nvcc"]
    result = system.run([nvcc, "--version"], timeout=60)
    release, version = parse_version(result.out)
    if release is None:
        raise NvidiaError(
            f"{nvcc} --version says nothing that is known (exit status {result.rc}): "
            f"{(result.out + result.err).strip()[:300]}. Is the toolkit installed there?"
        )
    if params["release"] and params["release"] != release:
        raise NvidiaError(
            f"{nvcc} is of CUDA {release}, and {params['release']} was asked for. See which toolkit lies there, and "
            "what /usr/local/cuda means."
        )
    return release, version


def ensure(params, system, *, apply):
    """The result of the module `nvcc_proof`; see its RETURN."""
    result = {
        "changed": False, "release": None, "version": None, "compiled": False, "ran": False, "seconds": 0.0,
        "codes": [], "unsupported": [], "devices": [], "steps": [f"Compile a small program with {params['nvcc']}"],
    }  # fmt: skip
    if not apply:
        return {**result, "steps": [f"Would compile a small program with {params['nvcc']}"]}
    release, version = asked_version(params, system)
    known = system.run([params["nvcc"], "--list-gpu-code"], timeout=60)
    codes, missing = code_names(params["capabilities"], known.out if known.rc == 0 else "")
    if missing and not codes:
        raise NvidiaError(
            f"CUDA {release} makes no code for compute capability {', '.join(missing)}, which is all that the GPUs "
            "here have. Take an older toolkit."
        )
    made = system.run(["mktemp", "-d", "/var/tmp/gpufleet-nvidia-proof.XXXXXX"])
    folder = made.out.strip()
    if made.rc != 0 or not folder:
        raise NvidiaError(f"No folder could be made in /var/tmp: {made.err.strip()}.")
    try:
        seconds = compile_proof(params, system, folder, codes)
        rows = run_proof(params, system, folder) if params["run"] else []
    finally:
        system.run(["rm", "-rf", "--one-file-system", folder])
    if params["run"]:
        judge(rows, missing)
    return {
        **result, "release": release, "version": version, "compiled": True, "ran": bool(params["run"]),
        "seconds": seconds, "codes": codes, "unsupported": missing, "devices": rows,
    }  # fmt: skip


def compile_proof(params, system, folder, codes, clock=time.monotonic):
    """Compiles; gives the seconds that it took."""
    begin = clock()
    system.write(f"{folder}/proof.cu", SOURCE, 0o600)
    result = system.run(compile_argv(params["nvcc"], folder, codes), timeout=params["timeout"])
    if result.rc != 0:
        said = (result.out + "\n" + result.err).strip()
        hint = next((advice for pattern, advice in HOST_COMPILER if re.search(pattern, said)), "")
        lines = "\n".join(said.splitlines()[-10:])
        raise NvidiaError(f"{params['nvcc']} could not compile a small program. {hint}".rstrip() + f"\n{lines}")
    return round(clock() - begin, 1)


def run_proof(params, system, folder):
    """What every GPU made of it."""
    result = system.run([f"{folder}/proof"], timeout=params["timeout"])
    rows = parse_run(result.out)
    if not rows:
        raise NvidiaError(
            f"The proof was compiled but printed nothing when it ran (exit status {result.rc}): "
            f"{(result.out + result.err).strip()[:300]}"
        )
    return rows
