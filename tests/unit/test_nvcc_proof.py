"""The proof of a toolkit: what nvcc says, what is compiled, and what the GPUs make of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nvcc_proof as proof
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from tests.unit.fake_system import FakeSystem

NVCC = "/usr/local/cuda-12.6/bin/nvcc"
SAID = """\
nvcc: NVIDIA (R) Cuda compiler driver
Copyright (c) 2005-2024 NVIDIA Corporation
Built on Tue_Oct_29_23:50:19_PDT_2024
Cuda compilation tools, release 12.6, V12.6.85
Build cuda_12.6.r12.6/compiler.35059454_0
"""
FOLDER = "/var/tmp/gpufleet-nvidia-proof.abc"
PARAMS = {"nvcc": NVCC, "release": "12.6", "capabilities": ["6.1"], "run": False, "timeout": 300}
RIGHT = f"device 0 6.1 {proof.SUM} 0 no error\n"


def machine():
    answers = {
        (NVCC, "--version"): SAID,
        (NVCC, "--list-gpu-code"): "sm_50\nsm_61\nsm_90\n",
        ("mktemp",): FOLDER + "\n",
        ("rm",): "",
        (NVCC,): "",
        (f"{FOLDER}/proof",): RIGHT,
    }
    return FakeSystem(commands=answers)


def with_answer(argv, answer):
    host = machine()
    host.commands[argv] = answer
    return host


def test_a_program_is_compiled_for_the_gpus_and_nothing_stays():
    host = machine()
    result = proof.ensure(PARAMS, host, apply=True)
    assert (result["release"], result["version"], result["compiled"], result["ran"]) == ("12.6", "12.6.85", True, False)
    assert [NVCC, "-gencode=arch=compute_61,code=sm_61", "-o", f"{FOLDER}/proof", f"{FOLDER}/proof.cu"] in host.ran
    assert host.ran[-1] == ["rm", "-rf", "--one-file-system", FOLDER]
    assert not result["changed"]


def test_check_mode_says_that_nothing_was_compiled():
    host = machine()
    result = proof.ensure(PARAMS, host, apply=False)
    assert (result["compiled"], result["steps"], host.ran) == (
        False,
        [f"Would compile a small program with {NVCC}"],
        [],
    )


def test_the_gpus_run_it():
    result = proof.ensure({**PARAMS, "run": True}, machine(), apply=True)
    assert result["ran"]
    assert result["devices"] == [{"device": 0, "capability": "6.1", "sum": proof.SUM, "error": None}]


def test_a_gpu_that_the_toolkit_has_no_code_for_is_told_and_not_judged():
    said = RIGHT + "device 1 3.5 0 209 no kernel image is available for execution on the device\n"
    host = with_answer((f"{FOLDER}/proof",), said)
    result = proof.ensure({**PARAMS, "capabilities": ["6.1", "3.5"], "run": True}, host, apply=True)
    assert (result["unsupported"], result["codes"]) == (["3.5"], ["sm_61"])


@pytest.mark.parametrize(
    ("argv", "answer", "params", "words"),
    [
        ((NVCC, "--version"), SAID.replace("12.6", "12.4"), {}, "is of CUDA 12.4, and 12.6 was asked for"),
        ((NVCC, "--version"), Result(127, "", "nvcc: not found"), {}, "Is the toolkit installed"),
        ((NVCC, "--list-gpu-code"), "sm_75\nsm_90\n", {}, "makes no code for compute capability 6.1"),
        ((NVCC,), Result(1, "", "gcc: No such file or directory\nnvcc fatal"), {}, "install g\\+\\+"),
        ((NVCC,), Result(1, "", "#error -- unsupported GNU version! gcc versions later than 13"), {}, "ccbin"),
        (
            (f"{FOLDER}/proof",),
            Result(1, "error 35 CUDA driver version is insufficient", ""),
            {"run": True},
            "older than",
        ),
        ((f"{FOLDER}/proof",), "", {"run": True}, "printed nothing"),
        ((f"{FOLDER}/proof",), "device 0 6.1 7 0 no error\n", {"run": True}, "its result is not"),
        ((f"{FOLDER}/proof",), "device 0 6.1 0 719 launch failure\n", {"run": True}, "launch failure"),
        (("mktemp",), Result(1, "", "No space left"), {}, "No space left"),
    ],
)
def test_what_does_not_work_is_told_with_a_way_out(argv, answer, params, words):
    with pytest.raises(NvidiaError, match=words):
        proof.ensure({**PARAMS, **params}, with_answer(argv, answer), apply=True)


def test_a_failed_compile_leaves_nothing_behind():
    host = with_answer((NVCC,), Result(1, "", "nvcc fatal"))
    with pytest.raises(NvidiaError):
        proof.ensure(PARAMS, host, apply=True)
    assert ["rm", "-rf", "--one-file-system", FOLDER] in host.ran


def test_a_compiler_too_old_to_list_its_codes_is_trusted():
    host = with_answer((NVCC, "--list-gpu-code"), Result(1, "", "nvcc fatal : Unknown option"))
    assert proof.ensure({**PARAMS, "capabilities": ["3.5"]}, host, apply=True)["codes"] == ["sm_35"]


@given(st.text())
def test_any_output_is_read_without_falling(text):
    assert len(proof.parse_version(text)) == 2
    try:
        assert proof.parse_run(text) is not None
    except NvidiaError as exc:
        assert "finds no GPU" in str(exc)


@given(st.sets(st.sampled_from(["5.0", "6.1", "9.0", "12.0"])), st.sets(st.sampled_from(["sm_50", "sm_61", "sm_120"])))
def test_every_capability_is_compiled_for_or_told(capabilities, known):
    codes, missing = proof.code_names(sorted(capabilities), "\n".join(known))
    assert len(codes) + len(missing) == len(capabilities)
    assert not known or set(codes) <= known
