# Copyright: (c) 2026, gpufleet.nvidia contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a vLLM server does not come: its own words, the cause that they mean, and what to do about it."""

from __future__ import annotations

import re

# (cause, words, what to do); the first whose words are in the journal counts, so what names the root of the trouble
# stands before what follows from it.
CAUSES = (
    (
        "option_refused",
        r"vllm(?: serve)?: error: |api_server\.py: error: |error: unrecognized arguments",
        "The installed release does not take an option of this command line. Correct arguments of the instance.",
    ),
    (
        "port_taken",
        r"Port \d+ is taken by |\[Errno 98\]|[Aa]ddress already in use",
        "Another program listens on the port. Take another port for the instance, or stop that program.",
    ),
    (
        "driver_too_old",
        r"NVIDIA driver on your system is too old|CUDA driver version is insufficient"
        r"|forward compatibility was attempted",
        "The driver is older than the CUDA of these wheels wants. Update the driver, or take a release for an"
        " older CUDA.",
    ),
    (
        "gpu_too_old",
        r"no kernel image is available for execution|only supported on GPUs with compute capability"
        r"|PTX was compiled with"
        r"|not compatible with the current PyTorch installation",
        "The card is older, or newer, than these wheels know. Take a release for it, or dtype: half where bfloat16 is"
        " the trouble.",
    ),
    (
        "gpu_missing",
        r"No CUDA GPUs are available|Found no NVIDIA driver|Failed to infer device type|no CUDA-capable device"
        r"|invalid device ordinal|NVML_ERROR_|NVMLError",
        "The server sees no card. Look at what gpu_facts reports, at gpus of the instance, and at who may use"
        " /dev/nvidia*.",
    ),
    (
        "gpu_busy",
        r"CUDA-capable device\(s\) is/are busy|all CUDA-capable devices are busy",
        "The card is in exclusive mode and another program has it. End that, or set the compute mode to default.",
    ),
    (
        "share_not_free",
        r"less than desired GPU memory utilization|Error in memory profiling",
        "Less of the card's memory is free than gpu_memory_share takes. End what else uses the card, or lower"
        " the share.",
    ),
    (
        "cache_too_small",
        r"No available memory for the cache blocks|larger than the maximum number of tokens that can be stored in KV"
        r"|larger than the available KV cache memory",
        "Beside the weights no room is left for requests. Raise gpu_memory_share, lower max_model_len, or set"
        " kv_cache_mib.",
    ),
    (
        "gpu_memory",
        r"CUDA out of memory|OutOfMemoryError|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED",
        "The card's memory does not suffice. Take more cards, a smaller or quantised model, or a smaller"
        " max_model_len.",
    ),
    (
        "host_memory",
        r"killed by the OOM killer|oom-kill|Cannot allocate memory|DefaultCPUAllocator: can't allocate",
        "The host's own memory does not suffice for loading. Add memory or swap, or serve less on this host.",
    ),
    (
        "token_missing",
        r"GatedRepoError|gated repo|401 Client Error|403 Client Error|[Ii]nvalid (?:user )?token"
        r"|Access to model .* is restricted",
        "The model is only for those who were let in. Set vllm_serve_hf_token to a token of somebody who was.",
    ),
    (
        "offline",
        r"OfflineModeIsEnabled|LocalEntryNotFoundError|outgoing traffic has been disabled"
        r"|Temporary failure in name resolution"
        r"|Max retries exceeded",
        "Something is to be fetched, and the network does not answer or is not to be used. Have"
        " vllm_serve_models fetch it.",
    ),
    (
        "remote_code",
        r"trust_remote_code=True|--trust-remote-code",
        "The model brings program code of its own. Read it, and set trust_remote_code: true for the instance.",
    ),
    (
        "model_missing",
        r"HFValidationError|Repo id must be in the form|RepositoryNotFoundError"
        r"|is not a local folder and is not a valid"
        r"|does not appear to have a file named|not find .*config\.json|Cannot find any model weights"
        r"|Invalid repository ID",
        "There is no such model, or not all of it. Correct model of the instance, or fetch it again.",
    ),
    (
        "model_unsupported",
        r"Model architectures .* (?:are not supported|failed to be inspected)|does not recognize this architecture"
        r"|has no vLLM implementation",
        "This release does not know this kind of model. Take a newer release of vLLM, or another model.",
    ),
    (
        "heads_not_divided",
        r"must be divisible by tensor parallel size|is not divisible by",
        "The tensor-parallel size must divide the model's heads. Change tensor_parallel_size.",
    ),
    (
        "length_exceeded",
        r"is greater than the derived max_model_len|max_model_len .* is (?:greater|larger) than",
        "The model cannot do such long texts. Lower max_model_len.",
    ),
    (
        "shared_memory",
        r"[Bb]us error|/dev/shm.*No space left|No space left.*(?:/dev/shm|shared memory|psm_)",
        "/dev/shm is too small. Make its mount larger, or raise the container's limit.",
    ),
    (
        "disk_full",
        r"No space left on device|\[Errno 28\]|Disk quota exceeded",
        "A file system is full. Look at those of the models, the cache and the environment.",
    ),
    (
        "compiler_missing",
        r"Failed to find C compiler|No working C\+\+ compiler|Could not find CUDA_HOME|nvcc.*not found"
        r"|Python\.h: No such file",
        "vLLM compiles at run time and finds no compiler. Install gcc, g++ and Python's headers, and nvcc"
        " where it asks for it.",
    ),
    (
        "nccl",
        r"NCCL error|nccl(?:System|Internal|UnhandledCuda|Remote)Error|NCCL WARN",
        "The cards, or the hosts, cannot talk to each other. Run the module nccl_test, and look at NCCL_SOCKET_IFNAME.",
    ),
    (
        "permission",
        r"PermissionError|Permission denied|\[Errno 13\]|Read-only file system",
        "The server's user may not read or write what the line names. Give it the file, or move that elsewhere.",
    ),
    (
        "library_missing",
        r"\.so[.\d]*: cannot open shared object file",
        "A library of the system is missing. Put its package into vllm_serve_system_packages, with what is there.",
    ),
    (
        "environment_broken",
        r"ModuleNotFoundError|ImportError|undefined symbol|PackageNotFoundError|'_OpNamespace' '_C' object has no",
        "The environment is not whole. Remove it and run the role again, with constraints where two packages disagree.",
    ),
    (
        "program_missing",
        r"Failed at step EXEC|Unable to locate executable|status=203/EXEC",
        "The environment has no bin/vllm. Run the role again, and look at vllm_serve_environment.",
    ),
    (
        "sandbox",
        r"status=226/NAMESPACE|Failed to set up mount namespacing",
        "Here systemd cannot give the server a file system of its own. Set vllm_serve_hardening_enabled: false.",
    ),
)
# It follows from all the others, so that a warning may tell more.
ENGINE_DIED = (
    "engine_died",
    r"EngineDeadError|EngineCore encountered an issue|Engine core initialization failed|engine is dead",
    "The engine died. Its own words stand above that line in the journal.",
)
PATTERNS = tuple((cause, re.compile(words), hint) for cause, words, hint in (*CAUSES, ENGINE_DIED))
UNKNOWN = "Read the journal of the unit from its last start on."
# An exception of Python's, as the last line of a traceback has it; or what systemd says of an end.
LAST = re.compile(r"\b[A-Z]\w*(?:Error|Exception): |Main process exited|error:", re.MULTILINE)


# vLLM's own remarks that name no trouble, such as the one that repeats all its options; warnings are asked second.
REMARK = re.compile(r"\b(?:INFO|DEBUG) \d\d-\d\d |^(?:INFO|DEBUG)\b")
WARNING = re.compile(r"\bWARNING \d\d-\d\d |^WARNING\b|\bUserWarning\b|\bFutureWarning\b")


def decisive(lines):
    """(cause, line, hint) of a server's words, oldest first; ("unknown", its last complaint or None, hint) at worst."""
    told = [line for line in lines if not REMARK.search(line)]
    plain = [line for line in told if not WARNING.search(line)]
    for rows, patterns in ((plain, PATTERNS[:-1]), (told, PATTERNS)):
        for cause, pattern, hint in patterns:
            for line in rows:
                if pattern.search(line):
                    return cause, line, hint
    complaints = [line for line in told if LAST.search(line)]
    return "unknown", complaints[-1] if complaints else None, UNKNOWN
