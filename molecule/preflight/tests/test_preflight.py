"""preflight with real apt, dpkg, disks and processes: what it must leave alone, and what only a real host can show."""

from __future__ import annotations

import json

import pytest

from tests import evidence


def module(host, **options):
    """The module's findings and observations, run on the host by itself."""
    result = host.ansible("gpufleet.nvidia.preflight", json.dumps(options), check=False)
    assert "findings" in result, result
    return result


def transaction(host, *packages):
    return module(host, transactions=[{"name": "x", "packages": packages}], lock=False)["findings"]


@pytest.mark.parametrize(("before", "after"), [("before", "after"), ("refused-before", "refused-after")])
def test_nothing_on_the_host_has_changed(host, before, after):
    texts = [host.file(f"/root/snapshot-{name}").content_string for name in (before, after)]
    assert texts[0] == texts[1]
    assert len(texts[0].splitlines()) > 200


def test_no_driver_came(host):
    assert evidence.driver_packages(host) == {}
    assert evidence.held(host) == set()


def test_nothing_is_left_in_run(host):
    assert not host.file("/run/gpufleet-nvidia.pref").exists


def test_a_transaction_that_brings_a_kernel_is_named(host):
    (found,) = transaction(host, "linux-image-rt-amd64")
    assert (found["severity"], found["code"]) == ("error", "transaction_moves_kernel")
    assert "linux-image-rt-amd64" in found["text"]


def test_a_transaction_beside_the_driver_that_brings_a_driver_is_named(host):
    (found,) = transaction(host, "nvidia-smi")
    assert (found["severity"], found["code"]) == ("error", "transaction_refused")
    assert "nvidia-smi" in found["text"]


def test_a_version_that_the_archive_lacks_is_named_with_those_it_has(host):
    (found,) = transaction(host, "mdevctl=99")
    assert (found["severity"], found["code"]) == ("error", "version_unavailable")
    assert host.check_output("apt-cache madison mdevctl | awk '{print $3}' | head -n 1") in found["text"]


def test_the_room_that_apt_tells_is_what_dpkg_says_of_the_package(host):
    result = module(host, transactions=[{"name": "x", "packages": ["mdevctl"]}])
    size = int(host.check_output("apt-cache show mdevctl | awk '/^Installed-Size/ {print $2}' | head -n 1"))
    assert result["findings"] == []
    assert result["observations"]["transactions"]["x"]["installed_mib"] >= size / 1024


def test_a_full_disk_is_named_with_its_mount(host):
    result = module(host, space=[{"path": "/var/lib/none/yet", "mib": 99999999, "reason": "a test"}])
    (found,) = result["findings"]
    (seen,) = result["observations"]["space"]
    assert found["code"] == "space_short" and found["text"].startswith(
        f"{seen['mount']} has {seen['free_mib']} MiB free"
    )
    free = int(host.check_output("df -kP /var/lib | tail -n 1 | awk '{print $4}'")) // 1024
    assert abs(seen["free_mib"] - free) < 2048
