"""After a boot without Ansible: the unit of the role has made the devices, and nothing else has."""

from __future__ import annotations

UNIT = "gpufleet-vgpu-restore.service"


def test_each_device_was_made_by_the_unit_in_this_boot(host):
    lines = host.check_output(f"journalctl --boot --unit {UNIT} --output cat --no-pager").splitlines()
    uuids = [row["uuid"] for row in host.ansible.get_variables()["desks"]]
    made = [line for line in lines if line.startswith("Create ")]
    assert [any(uuid in line for line in made) for uuid in uuids] == [True] * len(uuids), lines
    assert len(made) == len(uuids)


def test_it_ended_before_the_machine_had_come_up(host):
    times = host.check_output(
        f"systemctl show --property=ExecMainExitTimestampMonotonic --value {UNIT}; "
        "systemctl show --property=ActiveEnterTimestampMonotonic --value multi-user.target"
    ).splitlines()
    assert 0 < int(times[0]) <= int(times[1])
