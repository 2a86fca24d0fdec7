"""The installers' command lines."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _runfile_options as options
from tests.unit.runfile_hosts import params


def test_a_headless_server_s_command_line():
    words = options.driver(
        params(
            kind="driver", module_type="open", dkms=True, opengl=False, x_check=False, disable_nouveau=True,
            signing_key="/k.priv", signing_certificate="/k.der", load_modules=False,
        ),
        "580.159.04",
        "6.8.0-1",
    )  # fmt: skip
    assert words == [
        "--silent",
        "--no-rebuild-initramfs",
        "--dkms",
        "--disable-nouveau",
        "--no-x-check",
        "--no-opengl-files",
        "--skip-module-load",
        "--kernel-module-type=open",
        "--module-signing-secret-key=/k.priv",
        "--module-signing-public-key=/k.der",
        "--tmpdir=/var/tmp",
        "--kernel-name=6.8.0-1",
    ]


@pytest.mark.parametrize(
    ("version", "expected"),
    [("535.261.03", "--kernel-module-build-directory=kernel-open"), ("555.42.02", "--kernel-module-type=open")],
)
def test_older_installers_are_told_the_flavour_in_their_own_word(version, expected):
    assert expected in options.driver(params(module_type="open"), version)


@pytest.mark.parametrize(
    ("version", "wish", "expected"),
    [
        ("535.261.03", {"load_modules": False}, {"--skip-module-load": 550}),
        ("470.256.02", {"module_type": "open"}, {"--kernel-module-build-directory=kernel-open": 515}),
        ("470.256.02", {"module_type": "proprietary"}, {}),
        ("535.261.03", {}, {}),
        ("580.159.04", {"load_modules": False, "allow_running_driver": True, "module_type": "open"}, {}),
    ],
)
def test_what_an_older_installer_lacks_is_known(version, wish, expected):
    assert options.missing(params(**wish), version) == expected


def test_no_command_line_for_cuda_ever_touches_the_driver():
    for check, tmpdir in itertools.product((True, False), ("/var/tmp", "/tmp")):
        words = options.cuda(params(kind="cuda", compiler_check=check, tmpdir=tmpdir), "/usr/local/cuda-12.6")
        assert "--toolkit" in words and "--silent" in words
        assert not [word for word in words if word.startswith(("--driver", "--uninstall", "--kernelobjects", "-m"))]
        assert ("--override" in words) == (not check)
        assert "--toolkitpath=/usr/local/cuda-12.6" in words


def test_more_modules_never_register_with_dkms():
    words = options.modules(params(dkms=True), "535.261.03", "6.1.0-56-amd64")
    assert "--dkms" not in words and words[-1] == "--kernel-modules-only"
