"""The module nccl_test on a machine made of dictionaries: what it runs, what it refuses, how it judges."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nccl_test, _nccl_test_build
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import CommandTimeout, NvidiaError, Result
from tests.unit.captured import fixture
from tests.unit.fake_system import FakeSystem

TEXT = fixture("nccl-tests/2.19.6-two-h200.txt")
PROGRAM = "/opt/tests/all_reduce_perf"
ARCHIVE = b"an archive"
SHA = hashlib.sha256(ARCHIVE).hexdigest()
SOURCE = {
    "src": "/root/nccl-tests.tar.gz",
    "sha256": SHA,
    "folder": "/var/cache/x",
    "cuda_home": "/usr/local/cuda",
    "nccl_home": None,
    "capabilities": ["9.0"],
    "mpi": False,
    "mpi_home": None,
}


def params(**changed):
    usual: dict[str, Any] = {
        "binaries": "/opt/tests",
        "source": None,
        "collective": "all_reduce",
        "gpus": 2,
        "devices": [],
        "min_bytes": "8M",
        "max_bytes": "1G",
        "factor": 4,
        "iterations": 20,
        "warmup": 5,
        "datatype": "float",
        "operation": None,
        "env": {},
        "launcher": [],
        "min_bus_bandwidth": None,
        "allow_busy": False,
        "json": True,
        "processors": 4,
        "timeout": 60,
    }
    return {**usual, **changed}


class Machine(FakeSystem):
    """nccl-tests as it behaves: clean environment, help, JSON into the file that -J names."""

    def __init__(self, answer=TEXT, help_text="-J,--output_file <file>", written=None, **more):
        super().__init__({PROGRAM: "", **more.pop("files", {})}, commands={("mktemp",): "/tmp/private\n"}, **more)
        self.answer, self.help_text, self.written = answer, help_text, written
        self.commands.update(
            {("env",): self.test, ("rm",): "", ("mkdir",): "", ("mv",): "", ("make",): "", ("tar",): "a/\na/b\n"}
        )

    def test(self, argv):
        if argv[-1] == "-h":
            return self.help_text
        if "-J" in argv and self.written:
            self.files["/tmp/private/result.json"] = self.written
        return self.answer(argv) if callable(self.answer) else self.answer


def last_test(system):
    return next(argv for argv in reversed(system.ran) if argv[0] == "env" and argv[-1] != "-h")


def test_a_run_is_measured_by_its_largest_size_and_lower_side():
    system = Machine(help_text="old")
    result = _nccl_test.ensure(params(min_bus_bandwidth=300), system, apply=True)
    assert result["largest"] == {"size": 536870912, "bus_bandwidth": 311.91}
    assert (result["changed"], result["problems"], result["measured"]) == (False, [], True)
    assert last_test(system)[-16:] == [
        *("-b", "8M", "-e", "1G", "-f", "4", "-g", "2"),
        *("-n", "20", "-w", "5", "-c", "1", "-d", "float"),
    ]


def test_the_json_is_read_where_the_program_can_write_it_and_is_removed():
    system = Machine(written=fixture("nccl-tests/2.19.6-two-h200.json"))
    result = _nccl_test.ensure(params(), system, apply=True)
    assert result["largest"]["size"] == 1073741824
    assert ["rm", "-rf", "/tmp/private"] in system.ran
    assert "canary-in-the-environment" not in json.dumps(result)


def test_too_slow_and_wrong_are_problems_with_what_to_do():
    slow = _nccl_test.ensure(params(min_bus_bandwidth=400), Machine(help_text=""), apply=True)
    assert "311.9 GB/s, less than the 400 GB/s" in slow["problems"][0]
    wrong = Machine(TEXT.replace("values : 0 OK", "values : 5 FAILED"), help_text="")
    assert "5 values were wrong" in _nccl_test.ensure(params(), wrong, apply=True)["problems"][0]


def test_the_environment_is_the_test_s_own():
    system = Machine(help_text="")
    _nccl_test.ensure(params(env={"NCCL_NVLS_ENABLE": 0}, devices=["1", "3"]), system, apply=True)
    argv = last_test(system)
    assert argv[:2] == ["env", "-i"] and "NCCL_NVLS_ENABLE=0" in argv and "CUDA_VISIBLE_DEVICES=1,3" in argv
    assert argv[argv.index("-g") + 1] == "2"
    assert {word.split("=")[0] for word in argv if "=" in word} == {
        "PATH",
        "HOME",
        "LC_ALL",
        "CUDA_VISIBLE_DEVICES",
        "NCCL_NVLS_ENABLE",
    }


def test_a_launcher_starts_one_gpu_a_process_and_text_is_read():
    system = Machine()
    _nccl_test.ensure(params(launcher=["mpirun", "-np", "16"]), system, apply=True)
    argv = last_test(system)
    assert argv[argv.index("mpirun") : argv.index("mpirun") + 4] == ["mpirun", "-np", "16", PROGRAM]
    assert argv[argv.index("-g") + 1] == "1" and "-J" not in argv


def test_a_hanging_test_is_stopped_and_explained():
    def hang(argv):
        raise CommandTimeout(argv, 60)

    system = Machine(hang)
    with pytest.raises(NvidiaError, match=r"did not end within 60 s.*NCCL_P2P_DISABLE"):
        _nccl_test.ensure(params(), system, apply=True)
    assert ["rm", "-rf", "/tmp/private"] in system.ran


def test_a_failing_test_says_what_the_program_said():
    system = Machine(Result(2, "test: Test CUDA failure common.cu:1 'no device'\n", ""), help_text="")
    with pytest.raises(NvidiaError, match="no device"):
        _nccl_test.ensure(params(), system, apply=True)


def test_busy_gpus_are_left_alone_but_for_the_daemons():
    def busy(program):
        files = {"/proc/9/comm": f"{program}\n", "/etc/passwd": "root:x:0:0::/:/bin/sh\n"}
        return Machine(help_text="", files=files, links={"/proc/9/fd/3": "/dev/nvidia0"})

    with pytest.raises(NvidiaError, match=r"in use by trainer \(process 9 of root\)"):
        _nccl_test.ensure(params(), busy("trainer"), apply=True)
    assert _nccl_test.ensure(params(allow_busy=True), busy("trainer"), apply=True)["measured"]
    assert _nccl_test.ensure(params(), busy("nvidia-persiste"), apply=True)["measured"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"min_bytes": "2G"}, "more than max_bytes"),
        ({"max_bytes": "1GB"}, "is no size"),
        ({"factor": 1}, "factor must be 2"),
        ({"gpus": 0}, "gpus must be 1"),
        ({"env": {"A B": 1}}, "no name of a variable"),
        ({"collective": "sendrecv"}, "There is no /opt/tests/sendrecv_perf"),
    ],
)
def test_bad_input_is_refused_before_a_gpu_is_touched(changed, told):
    system = Machine()
    with pytest.raises(NvidiaError, match=told):
        _nccl_test.ensure(params(**changed), system, apply=True)
    assert not any(PROGRAM in argv for argv in system.ran)


def test_check_mode_says_what_it_would_do_and_measures_nothing():
    system = Machine()
    result = _nccl_test.ensure(params(), system, apply=False)
    assert (result["changed"], result["measured"]) == (False, False)
    assert system.ran == []


def machine_with_source(**more):
    return Machine(help_text="", files={SOURCE["src"]: ARCHIVE, **more.pop("files", {})}, which=("g++", "make"), **more)


def test_programs_are_made_once_from_the_source():
    system = machine_with_source()
    built = f"{_nccl_test_build.folder_of(SOURCE)}/build/all_reduce_perf"
    result = _nccl_test.ensure(params(binaries=None, source=SOURCE), system, apply=True)
    assert result["changed"] and result["steps"][0] == f"Make nccl-tests from {SOURCE['src']}"
    make = next(argv for argv in system.ran if argv[0] == "make")
    assert "CUDA_HOME=/usr/local/cuda" in make and "NVCC_GENCODE=-gencode=arch=compute_90,code=sm_90" in make
    second = machine_with_source(files={built: ""})
    assert not _nccl_test.ensure(params(binaries=None, source=SOURCE), second, apply=True)["changed"]
    assert not any(argv[0] == "make" for argv in second.ran)


def test_another_option_is_another_folder():
    other = {**SOURCE, "capabilities": ["8.6"]}
    assert _nccl_test_build.folder_of(SOURCE) != _nccl_test_build.folder_of(other)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"sha256": "0" * 64}, "another file, or damaged"),
        ({"sha256": "d41d8cd98f00b204e9800998ecf8427e"}, "64 hexadecimal digits"),
        ({"src": "/root/none"}, "There is no source archive"),
        ({"capabilities": ["sm_90"]}, "is written as 9.0"),
    ],
)
def test_a_wrong_source_is_refused_before_it_is_unpacked(changed, told):
    system = machine_with_source()
    with pytest.raises(NvidiaError, match=told):
        _nccl_test.ensure(params(binaries=None, source={**SOURCE, **changed}), system, apply=True)
    assert not any(argv[:2] == ["tar", "-xf"] for argv in system.ran)


def test_an_archive_that_leaves_its_folder_is_refused():
    system = machine_with_source()
    system.commands[("tar",)] = "a/\na/../../etc/passwd\n"
    with pytest.raises(NvidiaError, match="outside of its folder"):
        _nccl_test.ensure(params(binaries=None, source=SOURCE), system, apply=True)


def test_a_build_that_fails_leaves_nothing_and_tells_the_compiler_s_lines():
    system = machine_with_source()
    system.commands[("make",)] = Result(2, "nvcc ...\n", "common.h:3: fatal error: nccl.h: No such file\n")
    with pytest.raises(NvidiaError, match=r"fatal error: nccl\.h"):
        _nccl_test.ensure(params(binaries=None, source=SOURCE), system, apply=True)
    assert system.ran[-1][:2] == ["rm", "-rf"] and not any(argv[0] == "mv" for argv in system.ran)
