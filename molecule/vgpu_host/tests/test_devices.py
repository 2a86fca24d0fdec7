"""The declared devices are there, each asked of the kernel, of mdevctl and of systemd; after a reboot as before it."""

from __future__ import annotations

import json

import pytest

UNIT = "gpufleet-vgpu-restore.service"
BUS = "/sys/bus/mdev/devices"


@pytest.fixture
def declared(host):
    return {row["uuid"]: row["type"] for row in host.ansible.get_variables()["desks"]}


def test_the_kernel_has_the_declared_devices_and_no_others(host, declared):
    lines = host.check_output(f"cd {BUS} && grep . */mdev_type/name").splitlines()
    assert dict(line.split("/mdev_type/name:") for line in lines) == declared


def test_mdevctl_knows_all_of_them(host, declared):
    (parents,) = json.loads(host.check_output("mdevctl list --defined --dumpjson"))
    assert {uuid for row in parents["mtty"] for uuid in row} == set(declared)


def test_the_unit_restores_them_at_boot_and_finds_nothing_wrong(host):
    assert host.check_output(f"systemctl is-enabled {UNIT}") == "enabled"
    shown = host.check_output(f"systemctl show --property=Result,ActiveState,ExecMainStatus {UNIT}").splitlines()
    assert sorted(shown) == ["ActiveState=active", "ExecMainStatus=0", "Result=success"]


def test_the_restore_program_alone_has_nothing_to_do(host):
    told = host.run("python3 -I /usr/local/lib/gpufleet/vgpu-restore --check")
    assert (told.rc, "Create" in told.stdout) == (0, False), told.stdout
