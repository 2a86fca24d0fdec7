"""The plan for NCCL: from facts, stack and wants, with every case in which a program would get another library."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.nccl_plan import nccl_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from tests.unit.golden.hosts import host

LIB = "/usr/lib/x86_64-linux-gnu/libnccl.so.2"
DEBIAN = "2.22.3-1-1"


def facts(platform="debian-13", cuda="12.4", packages=(), libraries=(), default=None):
    found = copy.deepcopy(host(platform, "a6000"))
    path = "/usr" if platform.startswith("debian") else f"/usr/local/cuda-{cuda}"
    row = {"release": cuda, "version": None, "update": None, "path": path, "nvcc": f"{path}/bin/nvcc"}
    source = "distribution" if path == "/usr" else "repository"
    found["cuda"] = {"toolkits": [{**row, "source": source, "package": None}], "default": None, "packages": []}
    found["nccl"] = {"packages": list(packages), "libraries": list(libraries), "default": default}
    return found


def package(name, version, held=True):
    return {"name": name, "version": version, "held": held}


def library(version, path=LIB, in_cache=True):
    return {"path": path, "version": version, "in_cache": in_cache}


def plan(found, **wants):
    return nccl_plan(found, stack(found, {"nccl": wants}), wants)


def codes(result):
    return [row["code"] for row in result["findings"] if row["severity"] in ("error", "warning")]


def test_debian_s_own_build_is_taken_beside_debian_s_own_cuda():
    result = plan(facts(), version="auto")
    assert result["packages"] == [f"libnccl2={DEBIAN}"]
    assert (result["method"], result["version"], result["hold"], result["idle"]) == (
        "distribution",
        "2.22.3",
        True,
        False,
    )
    assert result["deviations"] == [f"libnccl2 must be {DEBIAN}, and it is not installed."]


def test_nvidia_s_build_is_the_one_for_the_cuda_of_the_host():
    result = plan(facts("ubuntu-24.04", "12.6"), version="2.23.4", development_enabled=True)
    assert result["packages"] == ["libnccl2=2.23.4-1+cuda12.6", "libnccl-dev=2.23.4-1+cuda12.6"]
    assert result["key"]["fingerprint"] and result["repository"]["path"].startswith("/etc/apt/sources.list.d/")


def test_a_host_that_is_as_declared_is_left_alone():
    found = facts(packages=[package("libnccl2", DEBIAN)], libraries=[library("2.22.3")], default=library("2.22.3"))
    result = plan(found, version="auto")
    assert (result["idle"], result["steps"], result["deviations"], result["repository"]) == (True, [], [], None)


def test_what_was_released_is_held_again():
    found = facts(packages=[package("libnccl2", DEBIAN, held=False)], libraries=[library("2.22.3")])
    result = plan(found, version="auto")
    assert result["steps"] == ["Hold libnccl2"] and result["packages"] == [f"libnccl2={DEBIAN}"]
    assert plan(found, version="auto", hold_enabled=False)["idle"]


def test_a_library_outside_of_the_cache_is_entered():
    found = facts(packages=[package("libnccl2", DEBIAN)], libraries=[library("2.22.3", in_cache=False)])
    result = plan(found, version="auto")
    assert result["refresh_linker"] and result["steps"] == ["Refresh the linker's cache"]


def test_a_library_before_the_packaged_one_is_named():
    other = library("2.18.1", "/usr/local/lib/libnccl.so.2")
    found = facts(packages=[package("libnccl2", DEBIAN)], libraries=[other, library("2.22.3")], default=other)
    result = plan(found, version="auto")
    assert codes(result) == ["nccl_shadowed"]
    assert "/usr/local/lib/libnccl.so.2" in result["deviations"][0]


def test_nothing_is_done_where_nothing_is_asked_for():
    result = plan(facts())
    assert result["idle"] and "nccl_version" in result["skipped"]


def test_the_hpc_sdk_wants_a_name_and_stays_out_of_the_linker_s_path():
    assert codes(plan(facts(), version="auto", method="hpcsdk")) == ["nccl_hpcsdk_unnamed"]
    named = plan(facts(), version="auto", method="hpcsdk", hpcsdk_package="nvhpc-25-9")
    assert (named["packages"], named["repository"], named["refresh_linker"]) == (["nvhpc-25-9"], None, False)


@pytest.mark.parametrize(
    ("wants", "code"),
    [({"version": "9.9.9"}, "nccl_unknown"), ({"version": "2.32.3", "method": "distribution"}, "nccl_unknown")],
)
def test_a_version_that_cannot_be_had_is_an_error_and_no_step(wants, code):
    result = plan(facts("debian-13"), **wants)
    assert result["steps"] == [] and codes(result)[0] in (code, "nccl_no_build")


def test_nobody_s_source_is_written_where_it_is_not_allowed():
    result = plan(facts("ubuntu-24.04", "12.6"), version="2.23.4", repositories_ok=False)
    assert codes(result) == ["repository_not_allowed"] and result["repository"] is None
    assert "nccl_repositories_ok" in result["findings"][0]["text"]


def test_absent_removes_nccl_s_own_packages_alone():
    found = facts(packages=[package("libnccl2", DEBIAN), package("nvhpc-25-9", "25.9-0")])
    result = plan(found, state="absent")
    assert result["remove"] == ["libnccl2"] and not result["idle"]
    assert plan(facts(), state="absent")["idle"]
