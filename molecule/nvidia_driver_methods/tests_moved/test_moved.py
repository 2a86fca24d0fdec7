"""What DKMS has lost of a driver, and files of another group than root's: named, and mended by the role alone."""

from __future__ import annotations

import pytest

from tests import evidence
from tests.drift.fleet import Fleet, move
from tests.drift.seen import is_file, kept, named, records, same, texts

FLEET = Fleet("nvidia_driver_methods", playbook="../molecule/nvidia_driver_methods/converge")
SOURCES = "/usr/src/nvidia-580.105.08"


@pytest.fixture(scope="module")
def hosts():
    return FLEET.hosts("gpu_hosts")


def ours(host, told) -> set[str]:
    paths = {path for _role, path in kept(told, "files", only=is_file)}
    return {path for path in paths if "gpufleet" in path and host.file(path).exists}


def is_whole(host) -> None:
    """DKMS has the driver, as it built it, and would bring back nothing else when it goes."""
    assert {(name, state) for name, _kernel, state in evidence.dkms(host)} == {("nvidia/580.105.08", "installed")}
    assert "differ" not in host.check_output("dkms status 2>&1").lower()
    assert host.run("find /var/lib/dkms -name original_module").stdout == ""


def test_a_group_and_a_registration_that_is_lost_are_named_and_mended(hosts):
    before = {name: records(host) for name, host in hosts.items()}
    installer = hosts["drvrun"].file("/var/log/nvidia-installer.log").mtime
    paths = {name: ours(host, before[name]) for name, host in hosts.items()}
    for host in hosts.values():
        move(host, "grouped")
        move(host, "unregistered")
    rc, report = FLEET.drift()
    assert rc != 0
    for name in hosts:
        assert {path for _role, path in named(report, "file", name)} >= paths[name] != set()
        assert any(text.startswith("driver.dkms") for text in texts(report, name))
    FLEET.mend()
    for name, host in hosts.items():
        same(host, before[name], but={path for _role, path in kept(before[name], "files")} - paths[name])
        is_whole(host)
        assert {host.file(path).group for path in paths[name]} == {"root"}
        # The lab's kernel believes that an initramfs lacks a file of which anything, even the group, has changed since.
        host.check_output("update-initramfs -u")
    assert hosts["drvrun"].file("/var/log/nvidia-installer.log").mtime == installer  # DKMS alone had something to do


def test_modules_that_are_lost_or_changed_are_named_and_mended(hosts):
    before = {name: records(host) for name, host in hosts.items()}
    move(hosts["drvrepo"], "unsigned")
    move(hosts["drvrun"], "lost")
    rc, report = FLEET.drift()
    assert rc != 0
    for name, fact in (("drvrepo", "driver.dkms"), ("drvrun", "driver.on_disk")):
        assert any(text.startswith(fact) for text in texts(report, name)), texts(report, name)
    FLEET.mend()
    for name, host in hosts.items():
        same(host, before[name])
        is_whole(host)


def test_a_runfile_s_driver_whose_sources_are_gone_is_installed_again(hosts):
    host = hosts["drvrun"]
    before = records(host)
    host.check_output(f"rm -rf {SOURCES}")
    rc, report = FLEET.drift()
    assert rc != 0 and any(text.startswith("driver.dkms") for text in texts(report, "drvrun"))
    FLEET.mend()
    same(host, before)
    assert host.file(f"{SOURCES}/dkms.conf").is_file
    is_whole(host)
    assert host.run("find /lib/modules -name '*gpufleet-before*'").stdout == ""
