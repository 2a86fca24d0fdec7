"""persistenced with the real nvidia-persistenced; the cards, their driver and the unit like Ubuntu's are stand-ins."""

from __future__ import annotations

import pytest

from tests import evidence

UNIT = "nvidia-persistenced.service"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/zz-gpufleet.conf"


@pytest.fixture(scope="module")
def unit(host):
    names = "FragmentPath,UnitFileState,ActiveState,ExecStart,DropInPaths,StopWhenUnneeded,Wants,After,NeedDaemonReload"
    return dict(line.split("=", 1) for line in host.check_output(f"systemctl show {UNIT} -p {names}").splitlines())


@pytest.fixture(scope="module")
def like_ubuntu(host):
    return "Stand-in" in host.file(f"/usr/lib/systemd/system/{UNIT}").content_string


def test_nvml_says_that_persistence_is_on_for_every_card(host):
    assert [gpu["persistence"] for gpu in evidence.nvml(host)] == [1, 1]


def test_the_real_daemon_holds_the_cards_and_nothing_else_does(host):
    (daemon,) = host.process.filter(comm="nvidia-persiste")
    assert host.run("pkill --exact --signal STOP nvidia-persiste").rc == 0  # a stopped daemon still holds them
    assert [gpu["persistence"] for gpu in evidence.nvml(host)] == [1, 1]
    host.check_output("pkill --exact --signal CONT nvidia-persiste")
    assert host.file(f"/proc/{daemon.pid}/exe").linked_to == "/usr/bin/nvidia-persistenced"


def test_it_starts_at_boot(unit):
    assert unit["UnitFileState"] == "enabled"
    assert unit["ActiveState"] == "active"


def test_the_packaged_unit_is_as_its_package_left_it(host, unit, like_ubuntu):
    assert unit["FragmentPath"].endswith(f"lib/systemd/system/{UNIT}")
    assert unit["FragmentPath"].startswith(("/lib", "/usr/lib"))
    changed = host.run("dpkg --verify nvidia-persistenced").stdout
    assert (UNIT in changed) == like_ubuntu  # there the stand-in took its place


def test_the_drop_in_holds_only_what_the_unit_needs(host, unit, like_ubuntu):
    assert unit["DropInPaths"] == DROP_IN
    text = host.file(DROP_IN).content_string
    assert "ConditionDirectoryNotEmpty=/proc/driver/nvidia/gpus" in text
    assert ("ExecStart=" in text) == like_ubuntu
    assert unit["StopWhenUnneeded"] == "no"
    assert "modprobe@nvidia.service" in unit["Wants"] and "modprobe@nvidia.service" in unit["After"]


def test_the_daemon_runs_as_the_user_of_its_package(host, like_ubuntu):
    (daemon,) = host.process.filter(comm="nvidia-persiste")
    user = "nvidia-persistenced" if like_ubuntu else "nvpd"
    assert daemon.user.startswith(user[:7])  # ps shortens names
    assert host.user(user).shell == "/usr/sbin/nologin"


def test_systemd_has_read_what_lies_on_disk(unit):
    assert unit["NeedDaemonReload"] == "no"


def test_no_unit_has_failed(host):
    assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""
