"""The toolkits of a host, from the disk and the books of its package manager."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _cuda, _cuda_packages
from tests.unit.fake_system import FakeSystem

UBUNTU = (Path(__file__).parent / "fixtures/cuda/13.0-ubuntu-status.txt").read_text(encoding="utf-8")
DEBIAN = """\
Package: nvidia-cuda-toolkit
Status: install ok installed
Architecture: amd64
Version: 12.4.131~12.4.1-2

Package: nvidia-cuda-toolkit-gcc
Status: install ok installed
Version: 12.4.1-2

Package: nvidia-cuda-dev
Status: hold ok half-configured
Version: 12.4.127~12.4.1-2

Package: cuda-toolkit-12-6
Status: deinstall ok config-files
Version: 12.6.3-1
"""
LOCAL = "/usr/local/cuda-12.6"
VERSIONS = json.dumps({"cuda": {"version": "12.6.3"}, "cuda_nvcc": {"name": "CUDA NVCC", "version": "12.6.85"}})
RUNFILE = {f"{LOCAL}/bin/nvcc": "", f"{LOCAL}/bin/cuda-uninstaller": "", f"{LOCAL}/version.json": VERSIONS}


def observe(files=None, links=None, manager="apt", **options):
    return _cuda.observe(FakeSystem(files, links, **options), manager)


def test_a_host_without_a_toolkit():
    assert observe() == {"toolkits": [], "default": None, "packages": [], "files": {}}


def test_a_toolkit_of_parts_from_the_repository_without_its_metapackage():
    """As on the captured machine: the parts of 13.0, no cuda-toolkit-13-0, no version.json."""
    seen = observe(
        {"/usr/local/cuda-13.0/bin/nvcc": "", "/var/lib/dpkg/status": UBUNTU},
        {
            "/usr/local/cuda": "/etc/alternatives/cuda",
            "/etc/alternatives/cuda": "/usr/local/cuda-13.0",
            "/usr/local/cuda-13": "/etc/alternatives/cuda-13",
            "/etc/alternatives/cuda-13": "/usr/local/cuda-13.0",
        },
    )
    assert seen["toolkits"] == [
        {
            "release": "13.0",
            "version": "13.0.88",
            "update": "13.0.2",
            "path": "/usr/local/cuda-13.0",
            "nvcc": "/usr/local/cuda-13.0/bin/nvcc",
            "source": "repository",
            "package": "cuda-compiler-13-0",
        }
    ]
    assert seen["default"] == {"path": "/usr/local/cuda-13.0", "release": "13.0", "alternatives": True}
    names = {row["name"]: row["held"] for row in seen["packages"]}
    assert names["libcudnn9-cuda-13"] and not names["cuda-nvcc-13-0"]
    assert "libnccl2" not in names and "libcublas-13-0" not in names


def test_a_toolkit_from_the_runfile():
    seen = observe(RUNFILE, {"/usr/local/cuda": LOCAL})
    assert [(t["release"], t["version"], t["update"], t["source"]) for t in seen["toolkits"]] == [
        ("12.6", "12.6.85", "12.6.3", "runfile")
    ]
    assert seen["default"] == {"path": LOCAL, "release": "12.6", "alternatives": False}


def test_the_distribution_s_toolkit():
    seen = observe({"/usr/bin/nvcc": "", "/usr/lib/nvidia-cuda-toolkit/bin/cicc": "", "/var/lib/dpkg/status": DEBIAN})
    (toolkit,) = seen["toolkits"]
    assert (toolkit["release"], toolkit["version"], toolkit["update"]) == ("12.4", "12.4.131", "12.4.1")
    assert (toolkit["path"], toolkit["nvcc"], toolkit["source"]) == ("/usr", "/usr/bin/nvcc", "distribution")
    assert [row["name"] for row in seen["packages"]] == ["nvidia-cuda-dev", "nvidia-cuda-toolkit"]


def test_several_toolkits_in_the_order_of_their_releases():
    files = {f"/usr/local/cuda-{release}/bin/nvcc": "" for release in ("12.6", "9.2", "11.8", "13.0")}
    assert [row["release"] for row in observe(files)["toolkits"]] == ["9.2", "11.8", "12.6", "13.0"]


@pytest.mark.parametrize(
    "files",
    [
        {"/usr/local/cuda-12.4/compat/libcuda.so.1": ""},
        {"/usr/local/cuda-12.4/lib64/libcublas.so.12": ""},
        {"/usr/local/cudalike/bin/nvcc": ""},
        {"/usr/bin/nvcc": "somebody's wrapper"},
    ],
)
def test_what_is_left_of_a_toolkit_is_none(files):
    assert observe(files)["toolkits"] == []


def test_a_toolkit_in_a_folder_of_its_own_is_seen_when_it_is_the_default():
    header = "#ifndef X\n#define CUDA_VERSION 12080\n"
    seen = observe({"/srv/cuda/bin/nvcc": "", "/srv/cuda/include/cuda.h": header}, {"/usr/local/cuda": "/srv/cuda"})
    assert [(t["release"], t["version"], t["source"]) for t in seen["toolkits"]] == [("12.8", None, "unknown")]


def test_rpm_is_asked_for_a_few_names_and_only_where_a_toolkit_lies():
    host = FakeSystem(
        {f"{LOCAL}/bin/nvcc": ""}, commands={("rpm", "-q"): "cuda-nvcc-12-6 12.6.85-1\npackage x is not\n"}
    )
    (toolkit,) = _cuda.observe(host, "dnf")["toolkits"]
    assert (toolkit["version"], toolkit["source"], toolkit["package"]) == ("12.6.85", "repository", "cuda-nvcc-12-6")
    bare = FakeSystem(commands={("rpm", "-q"): ""})
    _cuda.observe(bare, "dnf")
    assert (len(host.ran), bare.ran) == (1, [])


def test_arch_keeps_its_toolkit_in_opt():
    files = {
        "/opt/cuda/bin/nvcc": "",
        "/opt/cuda/version.json": VERSIONS,
        "/var/lib/pacman/local/cuda-12.6.3-1/desc": "",
    }
    (toolkit,) = observe(files, manager="pacman")["toolkits"]
    assert (toolkit["release"], toolkit["source"], toolkit["package"]) == ("12.6", "distribution", "cuda")


@given(st.text())
def test_any_text_is_read_without_falling(text):
    assert _cuda_packages.parse_status(text) is not None
    assert _cuda_packages.parse_rpm(text) is not None
    assert len(_cuda.parse_version_json(text)) == 2
    _cuda.parse_header(text)


@given(st.integers(9, 20), st.integers(0, 9), st.integers(0, 9))
def test_the_header_s_number_is_the_release(major, minor, patch):
    assert _cuda.parse_header(f"#define CUDA_VERSION {major}0{minor}{patch}\n") == f"{major}.{minor}"


@given(st.lists(st.sampled_from(UBUNTU.split("\n\n") + DEBIAN.split("\n\n")), max_size=6))
def test_every_package_is_listed_once_per_block_and_only_when_it_is_there(blocks):
    rows = _cuda_packages.parse_status("\n\n".join(blocks))
    assert all(any(f"Package: {row['name']}\n" in block for block in blocks) for row in rows)
    assert "cuda-toolkit-12-6" not in {row["name"] for row in rows}
