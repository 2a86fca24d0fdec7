"""Which parameters can be meant, and what the others are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.action.runfile import is_here
from ansible_collections.gpufleet.nvidia.plugins.module_utils._runfile_wanted import wanted
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from tests.unit.runfile_hosts import params

SUM = "ab" * 32
DRIVER = {"kind": "driver", "src": "NVIDIA-Linux-x86_64-535.261.03.run", "sha256": SUM}
CUDA = {"kind": "cuda", "src": "cuda_12.6.3_560.35.05_linux.run", "sha256": SUM}


@pytest.mark.parametrize(
    ("given_params", "told"),
    [
        ({**DRIVER, "src": None}, r"Which file\? Set src"),
        ({**DRIVER, "sha256": None}, "set sha256. Run `sha256sum`"),
        ({**DRIVER, "sha256": "ab" * 16}, "holds an MD5 sum"),
        ({**DRIVER, "sha256": "md5:" + "ab" * 16}, "holds an MD5 sum"),
        ({**DRIVER, "sha256": "abc"}, "64 hexadecimal digits"),
        ({**DRIVER, "src": "ftp://example.com/x.run"}, "addresses of http, https and file"),
        ({**DRIVER, "src": "https://example.com/x.run", "remote_src": True}, "leave remote_src out"),
        ({**DRIVER, "remote_src": True}, "give the whole path on the host"),
        ({**DRIVER, "src": "driver.run"}, "does not tell the version"),
        ({**DRIVER, "version": "535"}, "give it as NVIDIA writes it"),
        ({**DRIVER, "version": "550.163.01"}, "holds version 535.261.03, and version is 550.163.01"),
        ({**DRIVER, "kind": "grid"}, "is a driver, and kind is grid"),
        ({**DRIVER, "toolkit_path": "/opt/x"}, "toolkit_path can be set for CUDA only"),
        ({**DRIVER, "compiler_check": False}, "compiler_check can be set for CUDA only"),
        ({**DRIVER, "signing_key": "/k"}, "set signing_certificate as well"),
        ({**DRIVER, "signing_certificate": "/c"}, "set signing_key as well"),
        ({**DRIVER, "signing_key": "k", "signing_certificate": "/c"}, "signing_key is k; give the whole path"),
        ({**DRIVER, "kernel_source_path": "/s", "kernels": ["a", "b"]}, "name that one kernel"),
        ({**DRIVER, "load_modules": False}, r"--skip-module-load \(since 550\)"),
        ({**DRIVER, "allow_running_driver": True}, r"--allow-installation-with-running-driver \(since 545\)"),
        ({**DRIVER, "timeout": 0}, "timeout is 0"),
        ({**DRIVER, "tmpdir": "tmp"}, "tmpdir is tmp; give the whole path"),
        ({**CUDA, "dkms": False, "opengl": False}, "dkms, opengl can be set for a driver only"),
        ({**CUDA, "toolkit_path": "cuda"}, "give a whole path"),
        ({**CUDA, "toolkit_path": "/opt/../usr"}, "give a whole path"),
        ({"kind": "cuda", "state": "absent"}, "Which toolkit is to go"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(given_params, told):
    with pytest.raises(NvidiaError, match=told):
        wanted(params(**given_params))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/usr",
        "/usr/local",
        "/usr/local/cuda",
        "/usr/local/",
        "/opt",
        "/etc/cuda",
        "/boot/x",
        "/lib64",
        "/home",
        "/var/lib",
    ],
)
def test_no_folder_of_the_system_is_a_toolkit(path):
    for state in ("present", "absent"):
        with pytest.raises(NvidiaError, match="not a folder of one toolkit's own"):
            wanted(params(**{**CUDA, "state": state, "toolkit_path": path}))


@pytest.mark.parametrize("path", ["/usr/local/cuda-12.6", "/opt/cuda/12.6", "/opt/cuda", "/srv/cuda", "/home/u/cuda"])
def test_a_folder_of_its_own_is_one(path):
    assert wanted(params(**CUDA, toolkit_path=path)).toolkit_path == path


@pytest.mark.parametrize(
    ("src", "remote", "origin"),
    [
        ("https://example.com/a/NVIDIA-Linux-x86_64-535.261.03.run?token=x#y", False, "url"),
        ("file:///srv/NVIDIA-Linux-x86_64-535.261.03.run", False, "url"),
        ("/srv/NVIDIA-Linux-x86_64-535.261.03.run", True, "host"),
        ("files/NVIDIA-Linux-x86_64-535.261.03.run", False, "controller"),
    ],
)
def test_the_file_s_place_and_version_are_read_from_src(src, remote, origin):
    asked = wanted(params(kind="driver", src=src, remote_src=remote, sha256=f"sha256:{SUM.upper()}"))
    assert (asked.origin, asked.version, asked.sha256) == (origin, "535.261.03", SUM)
    assert asked.name == "NVIDIA-Linux-x86_64-535.261.03.run"
    assert is_here({"src": src}, remote) == (origin == "controller")


def test_the_more_exact_of_two_versions_counts():
    asked = wanted(params(**CUDA, version="12.6"))
    assert asked.version == "12.6.3" and asked.toolkit_path == "/usr/local/cuda-12.6"


@given(st.text(max_size=70), st.text(max_size=70))
def test_any_text_is_taken_or_refused_with_a_sentence(src, digits):
    try:
        asked = wanted(params(kind="driver", src=src, sha256=digits, version="535.261.03"))
    except NvidiaError as refusal:
        assert str(refusal).rstrip().endswith((".", "it."))
    else:
        assert len(asked.sha256) == 64
