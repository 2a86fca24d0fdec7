"""An initramfs is rebuilt when it is older than what it must contain, and only then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._initramfs import ensure, lacking
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from tests.unit.fake_system import FakeSystem

CONF = "/etc/modprobe.d/gpufleet-nvidia.conf"
OLD, NEW = "6.1.0-49-amd64", "6.1.0-50-amd64"


def image(kernel):
    return f"/boot/initrd.img-{kernel}"


class Host(FakeSystem):
    """A Debian host with two kernels whose images were made at 100 s and whose rebuild works at 300 s."""

    def __init__(self, conf=200.0, images=None, tool="update-initramfs", rc=0, contents=CONF):
        images = {OLD: 100.0, NEW: 100.0} if images is None else images
        files = {CONF: "blacklist nouveau\n"} if conf is not None else {}
        for kernel in (OLD, NEW):
            files[f"/lib/modules/{kernel}/modules.dep"] = ""
            files[f"/boot/vmlinuz-{kernel}"] = ""
        files.update({image(kernel): "image" for kernel in images})
        times = {CONF: conf, **{image(kernel): time for kernel, time in images.items()}}
        super().__init__(files, times=times)

        def rebuild(argv):
            if rc == 0:
                self.files[image(argv[-1])] = "new image"
                self.times[image(argv[-1])] = 300.0
            return Result(rc, "", "E: hook failed" if rc else "")

        self.commands = {
            (tool,): rebuild,
            ("lsinitramfs",): f".\netc\n{contents.lstrip('/')}\n",
            ("cp",): "",
            ("mv",): "",
        }
        self._which = {argv[0] for argv in self.commands}


def want(kernels=("all",), newer_than=(CONF,), contains=(CONF,), force=False):
    return {"kernels": list(kernels), "newer_than": list(newer_than), "contains": list(contains), "force": force}


@pytest.mark.parametrize(
    ("host", "params", "rebuilt"),
    [
        (Host(), want(), [OLD, NEW]),
        (Host(), want(kernels=[NEW]), [NEW]),
        (Host(conf=50.0), want(), []),
        (Host(conf=None), want(), []),
        (Host(conf=None), want(force=True), [OLD, NEW]),
        (Host(conf=50.0, images={OLD: 100.0}), want(), [NEW]),
        (Host(conf=150.0, images={OLD: 200.0, NEW: 100.0}), want(), [NEW]),
        (Host(), want(newer_than=[]), []),
    ],
)
def test_only_stale_images_are_rebuilt(host, params, rebuilt):
    predicted = ensure(params, host, apply=False)
    assert (predicted["rebuilt"], host.ran) == (rebuilt, [])
    assert ensure(params, host, apply=True) == predicted
    assert [argv[-1] for argv in host.ran if argv[0] == "update-initramfs"] == rebuilt
    if not params["force"]:
        assert ensure(params, host, apply=True)["changed"] is False


def test_an_idle_run_starts_no_program():
    host = Host(conf=50.0)
    ensure(want(), host, apply=True)
    assert host.ran == []


def test_an_image_that_is_not_there_is_created():
    host = Host(images={OLD: 250.0})
    ensure(want(), host, apply=True)
    assert ["update-initramfs", "-c", "-k", NEW] in host.ran


def test_a_host_without_such_a_tool_needs_none():
    host = Host(tool="something-else")
    assert ensure(want(), host, apply=True)["changed"] is False


def test_the_old_image_comes_back_when_the_rebuild_fails():
    host = Host(rc=1)
    with pytest.raises(NvidiaError, match=r"(?s)exit status 1.*old image was put back.*hook failed"):
        ensure(want(kernels=[NEW]), host, apply=True)
    assert ["mv", "-f", image(NEW) + ".gpufleet-old", image(NEW)] in host.ran


def test_an_image_without_the_file_is_no_success():
    with pytest.raises(NvidiaError, match=f"does not contain {CONF}"):
        ensure(want(), Host(contents="/etc/other"), apply=True)


def test_a_tool_that_is_switched_off_is_noticed():
    host = Host()
    host.commands[("update-initramfs",)] = "update-initramfs is disabled"
    with pytest.raises(NvidiaError, match="made no new initramfs"):
        ensure(want(), host, apply=True)


def test_an_unknown_kernel_is_refused():
    with pytest.raises(NvidiaError, match=r"no kernel 5\.0.*6\.1\.0-49"):
        ensure(want(kernels=["5.0"]), Host(), apply=False)


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ("etc/modprobe.d/gpufleet-nvidia.conf\n", []),
        ("-rw-r--r--   1 root root 30 Jan 1 00:00 etc/modprobe.d/gpufleet-nvidia.conf\n", []),
        ("/etc/modprobe.d/gpufleet-nvidia.conf\n", []),
        ("etc/modprobe.d/other.conf\n", [CONF]),
        ("", [CONF]),
    ],
)
def test_listings_of_the_three_tools(listing, expected):
    assert lacking(listing, [CONF]) == expected


@given(st.text())
def test_any_listing_can_be_read(text):
    lacking(text, [CONF])
