"""Which NCCL running programs have, from their memory maps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _nccl_processes
from tests.unit.fake_system import FakeSystem
from tests.unit.test_nccl import LIB, LINK, PACKAGED, cache

WHEEL = "/opt/venv/lib/python3.12/site-packages/nvidia/nccl/lib/libnccl.so.2"


def maps(*paths):
    rows = [
        f"7f{number:02x}00000000-7f{number:02x}00001000 {mode} 00000000 fe:01 42 {' ' * 20} {path}"
        for number, path in enumerate(paths)
        for mode in ("r--p", "r-xp")
    ]
    return "\n".join([*rows, "7fff00000000-7fff00001000 rw-p 00000000 00:00 0 [stack]", ""])


def machine(**processes):
    files = {**PACKAGED, "/etc/ld.so.cache": cache(("libnccl.so.2", f"{LIB}/libnccl.so.2"))}
    for pid, (program, text) in processes.items():
        files[f"/proc/{pid[1:]}/comm"] = f"{program}\n"
        files[f"/proc/{pid[1:]}/maps"] = text
    return FakeSystem(files, LINK)


def test_a_program_with_a_copy_of_its_own_is_named():
    system = machine(p7=("python3", maps("/usr/lib/libm.so", WHEEL)), p20=("bash", maps("/usr/bin/bash")))
    result = _nccl_processes.ensure(system)
    assert result["processes"] == [{"pid": 7, "program": "python3", "path": WHEEL, "version": None}]
    assert result["others"] == [
        f"python3 (process 7) has NCCL of unknown version from {WHEEL}; the linker gives {LIB}/libnccl.so.2.28.3."
    ]
    assert not result["changed"]


def test_a_program_with_the_system_s_library_is_no_surprise():
    result = _nccl_processes.ensure(machine(p7=("all_reduce_perf", maps(f"{LIB}/libnccl.so.2.28.3"))))
    assert [row["version"] for row in result["processes"]] == ["2.28.3"]
    assert result["others"] == []


def test_a_library_that_was_replaced_under_a_program_is_seen():
    text = f"7f00-7f01 r-xp 00000000 fe:01 42 {LIB}/libnccl.so.2.23.4 (deleted)\n"
    result = _nccl_processes.ensure(machine(p7=("trainer", text)))
    assert result["processes"][0]["version"] == "2.23.4"
    assert len(result["others"]) == 1


def test_a_machine_without_such_programs_has_none():
    assert _nccl_processes.ensure(FakeSystem()) == {"changed": False, "processes": [], "others": []}


@given(st.text(max_size=200))
def test_any_text_is_a_map_or_none(text):
    assert isinstance(_nccl_processes.parse_maps(text), list)
