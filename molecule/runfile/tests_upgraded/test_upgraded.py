"""After the upgrade: the new versions of what stand-ins brought, and nothing of the old ones."""

from __future__ import annotations

from tests import evidence


def test_the_new_driver_is_the_only_one(host):
    kernel = evidence.newest_kernel(host)
    assert evidence.modinfo(host, kernel, "version") == "535.274.02"
    assert host.check_output("ls -d /var/lib/dkms/nvidia/5*").split() == ["/var/lib/dkms/nvidia/535.274.02"]
    assert not host.file("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.535.261.03").exists
    assert not host.file("/usr/src/nvidia-535.261.03").exists


def test_one_file_is_kept_to_go_back_to(host):
    kept = host.check_output("ls /var/lib/gpufleet/runfiles").split()
    assert kept == ["NVIDIA-Linux-x86_64-535.274.02.run", "installed.json"]


def test_the_toolkit_was_replaced_in_its_place(host):
    assert '"12.6.3"' in host.file("/usr/local/cuda-12.6/version.json").content_string
    assert not host.file("/usr/local/cuda-12.6.gpufleet-before").exists
