"""What DKMS has built, and why a build failed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _dkms_build
from ansible_collections.gpufleet.nvidia.plugins.module_utils._dkms_build import Built
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from tests.unit.fake_system import FakeSystem

KERNEL = "6.1.0-50-amd64"
TREE = "/var/lib/dkms/nvidia-current"
LINKS = {f"{TREE}/kernel-{KERNEL}-x86_64": f"535.261.03/{KERNEL}/x86_64"}
FILES = {
    f"{TREE}/535.261.03/source/dkms.conf": "",
    f"/lib/modules/{KERNEL}/updates/dkms/nvidia-current.ko": b"",
    f"/lib/modules/{KERNEL}/modules.dep": "",
    "/usr/src/nvidia-current-535.261.03/dkms.conf": "",
    "/usr/src/nvidia-fs-2.17.5/dkms.conf": "",
}


@pytest.mark.parametrize(
    ("files", "links", "expected"),
    [
        ({}, {}, []),
        (FILES, LINKS, [Built("nvidia-current", "535.261.03", {KERNEL: True})]),
        (FILES, {}, [Built("nvidia-current", "535.261.03", {})]),
        ({f"{TREE}/535.261.03/x": ""}, LINKS, [Built("nvidia-current", "535.261.03", {KERNEL: False})]),
        ({"/var/lib/dkms/zfs/2.1/x": "", "/var/lib/dkms/nvidia-fs/2.17/x": "", "/var/lib/dkms/mok.key": ""}, {}, []),
    ],
)
def test_dkms_tree(files, links, expected):
    assert _dkms_build.observe(FakeSystem(files, links)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nvidia", True), ("nvidia-current", True), ("nvidia-current-open", True), ("nvidia-tesla-535-current", True),
        ("nvidia-srv", True), ("nvidia-fs", False), ("nvidia-peermem", False), ("zfs", False), ("nvidiafb", False),
    ],
)  # fmt: skip
def test_which_modules_are_the_driver(name, expected):
    assert _dkms_build.is_nvidia(name) is expected


@given(st.text())
def test_any_file_name_may_lie_in_the_tree(name):
    _dkms_build.parse_link(name)


def test_sources_of_exactly_one_version():
    assert _dkms_build.sources(FakeSystem(FILES), "535.261.03") == ["nvidia-current"]
    assert _dkms_build.sources(FakeSystem(FILES), "2.17.5") == []


@pytest.mark.parametrize(
    ("running", "expected"),
    [(KERNEL, [KERNEL]), ("6.18.0-outer", [KERNEL, "6.1.0-51-amd64"])],
)
def test_an_image_is_built_for_its_own_kernels(running, expected):
    files = {**FILES, "/proc/sys/kernel/osrelease": running + "\n", "/lib/modules/6.1.0-51-amd64/modules.dep": ""}
    assert _dkms_build.default_kernels(FakeSystem(files)) == expected


LOG = "\n".join(
    [f"  CC [M]  /build/{number}.o" for number in range(300)]
    + ["/build/nv-pci.c:12:1: error: unknown type name \u2018x\u2019"] * 2
    + [f"  CC [M]  /build/late-{number}.o" for number in range(60)]
    + ["make[1]: *** [Makefile:250: __sub-make] Error 2", "make: *** [Makefile:137: modules] Error 2"]
)


def test_the_decisive_lines_are_few_and_hold_the_reason():
    lines = _dkms_build.decisive_lines(LOG)
    assert len(lines) <= 25
    assert lines[0] == "/build/nv-pci.c:12:1: error: unknown type name \u2018x\u2019"
    assert lines[-1] == "make: *** [Makefile:137: modules] Error 2"
    assert len(set(lines)) == len(lines)


@given(st.text(), st.integers(2, 40))
def test_there_are_never_more_lines_than_wanted(text, limit):
    assert len(_dkms_build.decisive_lines(text, limit)) <= limit


def builder(rc, after=None):
    """A system whose dkms ends with rc and leaves *after* behind."""
    system = FakeSystem({"/usr/src/nvidia-current-535.261.03/dkms.conf": ""}, which=["dkms"])

    def dkms(argv):
        system.files.update((after or {}).get("files", {}))
        system.links.update((after or {}).get("links", {}))
        return Result(rc, "", "Error! Bad return status for module build")

    system.commands[("dkms",)] = dkms
    return system


def test_a_build_names_module_version_and_kernel():
    system = builder(0, {"files": FILES, "links": LINKS})
    _dkms_build.build(system, "nvidia-current", "535.261.03", KERNEL, 3600)
    assert system.ran == [["dkms", "install", "-m", "nvidia-current", "-v", "535.261.03", "-k", KERNEL]]


@pytest.mark.parametrize(
    ("system", "part"),
    [
        (builder(10, {"files": {f"{TREE}/535.261.03/build/make.log": LOG}}), "unknown type name"),
        (builder(10), "Bad return status"),
        (builder(0), "could not be built"),
    ],
)
def test_a_failed_build_says_why(system, part):
    with pytest.raises(NvidiaError, match=part):
        _dkms_build.build(system, "nvidia-current", "535.261.03", KERNEL, 3600)


def test_the_trigger_is_quiet_only_meanwhile():
    system = FakeSystem()
    assert _dkms_build.quietly(system, lambda: system.exists("/etc/dkms/no-autoinstall")) is True
    assert not system.exists("/etc/dkms/no-autoinstall")


def test_the_trigger_is_quiet_no_longer_after_a_failure():
    system = FakeSystem()

    def fails():
        raise NvidiaError("no")

    with pytest.raises(NvidiaError):
        _dkms_build.quietly(system, fails)
    assert not system.exists("/etc/dkms/no-autoinstall")


@pytest.mark.parametrize("files", [{"/etc/dkms/no-autoinstall": "mine"}, {"/var/lib/dkms/zfs/2.1.11/x": ""}])
def test_the_trigger_is_left_alone_where_others_need_it(files):
    system = FakeSystem(files)
    _dkms_build.quietly(system, lambda: None)
    assert system.wrote == {}
    assert system.removed == []
