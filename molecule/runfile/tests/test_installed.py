"""What stand-ins for NVIDIA's files brought: a driver whose kernel modules are real and not NVIDIA's, and toolkits."""

from __future__ import annotations

import json

import pytest

from tests import evidence


@pytest.fixture(scope="module")
def kernel(host):
    return evidence.newest_kernel(host)


def test_dkms_has_built_the_modules_of_the_driver(host, kernel):
    assert (f"nvidia/535.261.03, {kernel}, x86_64: installed") in host.check_output("dkms status")
    assert evidence.modinfo(host, kernel, "version") == "535.261.03"


def test_one_driver_is_there_and_no_second_one(host):
    assert host.check_output("ls -d /var/lib/dkms/nvidia/5*").split() == ["/var/lib/dkms/nvidia/535.261.03"]
    assert host.check_output("ls /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.5*").endswith("libnvidia-ml.so.535.261.03")
    assert "(535.261.03)" in host.file("/var/lib/nvidia/log").content_string.splitlines()[0]


def test_every_library_of_the_driver_is_whole(host):
    for library in ("libcuda", "libnvidia-ml", "libnvidia-cfg"):
        assert host.file(f"/usr/lib/x86_64-linux-gnu/{library}.so.1").linked_to.endswith(f"{library}.so.535.261.03")
    assert not host.file("/usr/lib/x86_64-linux-gnu/libnvidia-glcore.so.535.261.03").exists


def test_the_facts_see_a_driver_from_a_runfile(host):
    facts = evidence.facts(host)
    assert facts["driver"]["install"]["method"] == "runfile"
    assert facts["driver"]["library"]["version"] == "535.261.03"


def test_the_toolkits_are_where_they_were_asked_for(host):
    for path, version in (("/usr/local/cuda-12.6", "12.6.2"), ("/opt/cuda/12.9", "12.9.1")):
        told = json.loads(host.file(f"{path}/version.json").content_string)
        assert told["cuda"]["version"] == version
        assert f"release {version[:4]}," in host.check_output(f"{path}/bin/nvcc --version")


def test_nothing_half_is_left(host):
    assert not host.file("/opt/cuda/new").exists
    assert not host.file("/usr/local/cuda-12.6.gpufleet-before").exists
    assert not host.file("/usr/local/cuda").exists


def test_no_driver_came_with_cuda(host):
    assert "--driver" not in host.file("/var/log/cuda-installer.log").content_string


def test_only_root_reads_what_is_kept(host):
    folder = host.file("/var/lib/gpufleet/runfiles")
    assert (folder.mode, folder.user) == (0o700, "root")
    assert json.loads(host.file(f"{folder.path}/installed.json").content_string)["driver"]["version"] == "535.261.03"
    assert host.file(f"{folder.path}/NVIDIA-Linux-x86_64-535.261.03.run").exists
