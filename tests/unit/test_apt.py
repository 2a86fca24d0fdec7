"""What apt and dpkg print, and what is decided from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _apt, _dpkg
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _packages_plan as decide
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from tests.unit.fake_system import FakeSystem

# dpkg-query of a Debian 12 host
DPKG = """\
dpkg\tamd64\t1.21.22\tdpkg\tinstall\tinstalled
dkms\tall\t3.0.10-8+deb12u1\tdkms\tinstall\tinstalled
libcuda1:amd64\tamd64\t535.261.03-1\tnvidia-graphics-drivers\thold\tinstalled
libcuda1:i386\ti386\t535.261.03-1\tnvidia-graphics-drivers\tinstall\tinstalled
linux-headers-amd64\tamd64\t6.1.176-1\tlinux-signed-amd64\tinstall\tinstalled
nvidia-cuda-toolkit\tamd64\t11.8.89~11.8.0-5~deb12u1\tnvidia-cuda-toolkit\tinstall\tinstalled
nvidia-kernel-dkms\tamd64\t535.261.03-1\tnvidia-graphics-drivers\thold\tinstalled
nvidia-modprobe\tamd64\t535.161.07-1~deb12u1\tnvidia-modprobe\thold\tinstalled
nvidia-persistenced\tamd64\t535.171.04-1~deb12u1\tnvidia-persistenced\thold\thalf-configured
nvidia-settings\tamd64\t535.247.01-1~deb12u1\tnvidia-settings\tdeinstall\tconfig-files
python3-pynvml\t\t\tpython-pynvml\tunknown\tnot-installed
"""
PACKAGES = _dpkg.parse_packages(DPKG)

SIMULATED = """\
NOTE: This is only a simulation!
Reading package lists...
Remv nvidia-kernel-dkms [535.261.03-1]
Purg glx-diversions [1.2.2]
Inst libcuda1 [535.216.01-1~deb12u1] (535.261.03-1 Debian:12.15/oldstable [amd64]) []
Inst libcuda1:i386 (535.261.03-1 Debian:12.15/oldstable [i386])
Inst nvidia-open-kernel-dkms (535.261.03-1 Debian:12.15/oldstable [amd64])
Conf libcuda1 (535.261.03-1 Debian:12.15/oldstable [amd64])
"""


def test_packages_are_parsed_with_their_foreign_architectures():
    assert sorted(PACKAGES) == [
        "dkms", "dpkg", "libcuda1", "libcuda1:i386", "linux-headers-amd64", "nvidia-cuda-toolkit", "nvidia-kernel-dkms",
        "nvidia-modprobe", "nvidia-persistenced", "nvidia-settings",
    ]  # fmt: skip
    assert PACKAGES["libcuda1"] == _dpkg.Package(
        "libcuda1", "535.261.03-1", "nvidia-graphics-drivers", "hold", "installed"
    )


def test_the_closure_is_the_driver_and_nothing_else():
    assert _dpkg.closure(PACKAGES) == [
        "libcuda1", "libcuda1:i386", "nvidia-kernel-dkms", "nvidia-modprobe", "nvidia-persistenced",
    ]  # fmt: skip
    assert _dpkg.held(PACKAGES) == ["libcuda1", "nvidia-kernel-dkms", "nvidia-modprobe", "nvidia-persistenced"]
    assert _dpkg.driver_version(PACKAGES) == "535.261.03"
    assert _dpkg.driver_version({}) is None


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("libnvidia-ml1", "nvidia-graphics-drivers", True),
        ("libnvidia-compute-580", "nvidia-graphics-drivers-580", True),
        ("libnvidia-compute-535-server", "nvidia-graphics-drivers-535-server", True),
        ("nvidia-tesla-535-kernel-dkms", "nvidia-graphics-drivers-tesla-535", True),
        ("nvidia-open-kernel-dkms", "nvidia-open-gpu-kernel-modules", True),
        ("linux-modules-nvidia-580-open-6.8.0-60-generic", "linux-restricted-modules", True),
        ("nvidia-kernel-common", "nvidia-support", True),
        ("nvidia-fabricmanager-580", "fabric-manager-580", True),
        ("libnvidia-nscq-580", "libnvidia-nscq-580", True),
        ("cuda-drivers-580", "cuda-drivers-580", True),
        ("nvidia-cuda-toolkit", "nvidia-cuda-toolkit", False),
        ("nvidia-container-toolkit", "nvidia-container-toolkit", False),
        ("libnvidia-container1", "libnvidia-container", False),
        ("nvidia-fs-dkms", "nvidia-fs", False),
        ("python3-pynvml", "python-pynvml", False),
        ("linux-image-6.1.0-50-amd64", "linux-signed-amd64", False),
        ("nvtop", "nvtop", False),
        ("glx-diversions", "glx-alternatives", False),
    ],
)
def test_a_package_of_the_driver_is_known_by_its_source(name, source, expected):
    assert _dpkg.is_driver(name, source) is expected


@pytest.mark.parametrize(
    ("version", "upstream"),
    [
        ("535.261.03-1", "535.261.03"),
        ("535.171.04-1~deb12u1", "535.171.04"),
        ("1:580.95.05-0ubuntu0.24.04.1", "580.95.05"),
        ("610.43.02", "610.43.02"),
    ],
)
def test_upstream_version(version, upstream):
    assert _dpkg.upstream(version) == upstream


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nvidia-kernel-dkms", True),
        ("nvidia-open-kernel-dkms", True),
        ("nvidia-dkms-580", True),
        ("nvidia-dkms-580-open", True),
        ("nvidia-dkms-535-server", True),
        ("kmod-nvidia-open-dkms", True),
        ("nvidia-kernel-source", False),
        ("dkms", False),
    ],
)
def test_packages_that_build_with_dkms(name, expected):
    assert _dpkg.is_dkms(name) is expected


def test_a_simulation_tells_what_comes_moves_and_goes():
    simulation = _apt.parse_simulation(SIMULATED)
    assert simulation.installs == {
        "libcuda1": ("535.216.01-1~deb12u1", "535.261.03-1"),
        "libcuda1:i386": (None, "535.261.03-1"),
        "nvidia-open-kernel-dkms": (None, "535.261.03-1"),
    }
    assert simulation.removes == {"nvidia-kernel-dkms": "535.261.03-1", "glx-diversions": "1.2.2"}
    assert decide.says_transaction(simulation) == (
        "Install libcuda1:i386 535.261.03-1, nvidia-open-kernel-dkms 535.261.03-1; move libcuda1 "
        "535.216.01-1~deb12u1 to 535.261.03-1; remove glx-diversions, nvidia-kernel-dkms"
    )


def test_versions_and_sources_of_the_archive():
    madison = (
        "nvidia-smi | 535.261.03-1 | http://archive.example/debian bookworm/non-free amd64 Packages\n"
        "nvidia-smi | 535.216.01-1~deb12u1 | http://archive.example/debian bookworm/non-free amd64 Packages\n"
        "nvidia-smi | 535.261.03-1 | http://archive.example/security bookworm/non-free amd64 Packages\n"
        "nvidia-graphics-drivers | 535.261.03-1 | http://archive.example/debian bookworm/non-free Sources\n"
    )
    assert _apt.parse_madison(madison) == {"nvidia-smi": ["535.261.03-1", "535.216.01-1~deb12u1"]}
    shown = (
        "Package: libcuda1\nSource: nvidia-graphics-drivers (1.2)\nVersion: 3\n\nPackage: nvidia-modprobe\nVersion: 4\n"
    )
    assert _apt.parse_sources(shown) == {"libcuda1": "nvidia-graphics-drivers", "nvidia-modprobe": "nvidia-modprobe"}


@given(st.text())
def test_parsers_take_any_text(text):
    _dpkg.parse_packages(text)
    _apt.parse_simulation(text)
    _apt.parse_madison(text)
    _apt.parse_sources(text)
    _apt.excerpt(text)
    assert _dpkg.upstream(text) in text


def test_every_call_of_apt_is_unattended_and_waits_for_the_lock():
    assert _apt.apt_get("install", "x", preferences=True, lock_timeout=7) == [
        "apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout=7", "-o", "DPkg::Options::=--force-confold",
        "-o", "APT::Install-Recommends=false", "-o", "Dir::Etc::Preferences=/run/gpufleet-nvidia.pref", "install", "x",
    ]  # fmt: skip


def test_preferences_keep_and_fit():
    assert _apt.preferences_text({"b": "2", "a": "1"}, "535.261.03", "Package: z\nPin: version 9\n") == (
        "Package: a\nPin: version 1\nPin-Priority: 1001\n\nPackage: b\nPin: version 2\nPin-Priority: 1001\n\n"
        "Package: ?*\nPin: version /^([0-9]+:)?535\\.261\\.03(-|$)/\nPin-Priority: 1001\n\nPackage: z\nPin: version 9\n"
    )


def test_preferences_may_name_a_branch():
    assert "Pin: version /^([0-9]+:)?580\\./\n" in _apt.preferences_text({}, "580")


LOCKED = (
    "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 4131 (apt-get)\nE: Unable to lock directory"
)
LOCKED_NAMELESS = "E: Could not get lock /var/lib/dpkg/lock-frontend - open (11: Resource temporarily unavailable)\n"
LOCKED_DPKG = "dpkg: error: dpkg frontend lock was locked by another process with pid 77\n"

LOCKED_DPKG_NEW = "dpkg: error: dpkg frontend lock was locked by /usr/bin/python3.13 process with pid 77\n"


@pytest.mark.parametrize("text", [LOCKED, LOCKED_NAMELESS, LOCKED_DPKG, LOCKED_DPKG_NEW])
def test_a_held_lock_is_recognised(text):
    assert _apt.is_locked(text)


@pytest.mark.parametrize(
    "text", ["", "E: Unable to locate package nvidia-nope", "E: Sub-process /usr/bin/dpkg returned"]
)
def test_other_failures_are_no_lock(text):
    assert not _apt.is_locked(text)


@pytest.mark.parametrize(
    ("text", "files", "links", "expected"),
    [
        (LOCKED, {"/proc/4131/cmdline": "apt-get\0update\0"}, {}, (4131, "apt-get update")),
        (
            LOCKED_NAMELESS,
            {"/proc/locks": "1: POSIX  ADVISORY  WRITE 9 08:01:5 0 EOF\n2: POSIX  ADVISORY  WRITE 12 08:01:7 0 EOF\n",
             "/proc/12/cmdline": "unattended-upgrade\0"},
            {"/proc/9/fd/3": "/elsewhere", "/proc/12/fd/4": "/var/lib/dpkg/lock-frontend"},
            (12, "unattended-upgrade"),
        ),
        (LOCKED_NAMELESS, {}, {}, (None, None)),
    ],
)  # fmt: skip
def test_the_holder_of_a_lock_is_named(text, files, links, expected):
    assert _apt.lock_holder(FakeSystem(files, links), text) == expected


def test_a_lock_is_waited_for():
    answers = [Result(100, "", LOCKED), Result(100, "", LOCKED), Result(0, "done", "")]
    system = FakeSystem(commands={("apt-get",): lambda _argv: answers.pop(0)})
    naps: list = []
    assert _apt.run_waiting(system, ["apt-get", "update"], 60, 300, clock=lambda: 0, sleep=naps.append).out == "done"
    assert naps == [2, 2]


def test_waiting_for_a_lock_ends_with_the_holder():
    clock = iter(range(0, 1000, 100))
    system = FakeSystem({"/proc/4131/cmdline": "apt-get\0update\0"}, commands={("apt-get",): Result(100, "", LOCKED)})
    with pytest.raises(NvidiaError, match=r"/var/lib/apt/lists/lock .*process 4131 \(apt-get update\).*lock_timeout"):
        _apt.run_waiting(system, ["apt-get", "update"], 60, 300, clock=lambda: next(clock), sleep=lambda _s: None)


def test_the_excerpt_begins_with_the_reasons():
    text = (
        "Reading package lists...\nThe following packages have unmet dependencies:\n libcuda1 : Depends: "
        "libnvidia-ml1 (= 3) but 1 is to be installed\nE: Unable to correct problems, you have held broken packages.\n"
    )
    assert _apt.excerpt(text).splitlines()[0] == "The following packages have unmet dependencies:"
    assert len(_apt.excerpt("noise\n" * 100).splitlines()) == 20


BOTH = ["nvidia-kernel-dkms", "libcuda1"]
AVAILABLE = {
    "nvidia-kernel-dkms": ["550.163.01-2", "535.261.03-1", "535.216.01-1~deb12u1"],
    "libcuda1": ["550.163.01-2", "535.261.03-1", "535.216.01-1~deb12u1"],
    "nvidia-smi": ["550.163.01-2", "535.261.03-1"],
    "nvidia-modprobe": ["550.163.01-1"],
}
HEALTHY = {
    n: p if p.status == "config-files" else p._replace(status="installed")
    for n, p in PACKAGES.items()
    if n != "libcuda1:i386"
}


@pytest.mark.parametrize(
    ("packages", "asked", "options", "ask", "fit", "moves"),
    [
        ({}, ["nvidia-kernel-dkms"], {}, ["nvidia-kernel-dkms"], None, False),
        ({}, ["nvidia-kernel-dkms"], {"version": "535.216.01"}, ["nvidia-kernel-dkms"], "535.216.01", False),
        (HEALTHY, ["nvidia-kernel-dkms"], {}, [], None, False),
        (HEALTHY, ["nvidia-kernel-dkms", "nvidia-smi"], {}, ["nvidia-smi"], "535.261.03", False),
        (HEALTHY, ["nvidia-kernel-dkms"], {"version": "535.261.03"}, [], "535.261.03", False),
        (HEALTHY, ["nvidia-kernel-dkms"], {"version": "550.163.01"}, BOTH, "550.163.01", True),
        (HEALTHY, ["nvidia-kernel-dkms"], {"version": "535.216.01"}, BOTH, "535.216.01", True),
        (HEALTHY, ["nvidia-smi"], {"upgrade": True}, ["nvidia-smi", *reversed(BOTH), "nvidia-modprobe"],
         None, True),
        (PACKAGES, ["nvidia-persistenced"], {}, ["nvidia-persistenced"], "535.261.03", False),
    ],
)  # fmt: skip
def test_what_apt_is_asked_for(packages, asked, options, ask, fit, moves):
    request = decide.request(
        packages, asked, ["linux-headers-amd64"] if packages else [], available=AVAILABLE, **options
    )
    assert (request.ask, request.fit, request.moves) == (ask, fit, moves)


def test_installed_packages_are_kept_where_nothing_shall_move():
    assert decide.request(HEALTHY, ["nvidia-smi"], [], available=AVAILABLE).keep == {
        "libcuda1": "535.261.03-1",
        "nvidia-kernel-dkms": "535.261.03-1",
        "nvidia-modprobe": "535.161.07-1~deb12u1",
        "nvidia-persistenced": "535.171.04-1~deb12u1",
    }


@pytest.mark.parametrize(
    ("text", "options", "part"),
    [
        ("Inst nvidia-smi (535.261.03-1 x)\n", {}, None),
        ("Remv nvidia-kernel-dkms [535.261.03-1]\nInst nvidia-open-kernel-dkms (535.261.03-1 x)\n", {}, None),
        ("Remv dkms [3]\n", {}, "not the driver's: dkms"),
        ("Remv dkms [3]\n", {"removable": ["dk*"]}, None),
        ("Inst linux-image-6.1.0-51-amd64 (6 x)\n", {}, "kernel images: linux-image-6.1.0-51-amd64"),
        ("Inst linux-image-amd64 [5] (6 x)\n", {}, "kernel images: linux-image-amd64"),
        ("Inst linux-modules-6.8.0-60-generic (6 x)\n", {}, "kernel images"),
        ("Inst linux-modules-nvidia-580-6.8.0-60-generic (6 x)\n", {}, None),
        ("Inst linux-image-6.1.0-51-amd64 (6 x)\n", {"kernel_change_ok": True}, None),
        ("Inst linux-headers-amd64 [5] (6 x)\n", {}, None),
    ],
)
def test_what_is_refused(text, options, part):
    sentences = decide.refusals(_apt.parse_simulation(text), HEALTHY, ["nvidia-smi"], **options)
    assert (part is None and sentences == []) or part in sentences[0]


def test_a_version_that_nobody_has_is_explained():
    sentence = decide.version_blocker(["nvidia-kernel-dkms"], "600.1", AVAILABLE)
    assert "600.1" in sentence
    assert "535.216.01, 535.261.03, 550.163.01" in sentence
    assert decide.version_blocker(["nvidia-kernel-dkms"], "550.163.01", AVAILABLE) is None
