"""After `persistenced_state: disabled`: what the distribution does by itself, and nothing of the role's."""

from __future__ import annotations

from tests import evidence

UNIT = "nvidia-persistenced.service"


def is_like_ubuntu(host) -> bool:
    return "Stand-in" in host.file(f"/usr/lib/systemd/system/{UNIT}").content_string


def test_nothing_of_the_role_is_left(host):
    assert host.check_output(f"systemctl show {UNIT} -p DropInPaths --value") == ""
    assert not host.file(f"/etc/systemd/system/{UNIT}.d/zz-gpufleet.conf").exists


def test_the_unit_starts_at_boot_as_its_package_wants(host):
    state = host.run(f"systemctl is-enabled {UNIT}").stdout.strip()
    assert state == ("static" if is_like_ubuntu(host) else "enabled")


def test_persistence_is_what_the_distribution_makes_of_it(host):
    by_default = 0 if is_like_ubuntu(host) else 1
    assert [gpu["persistence"] for gpu in evidence.nvml(host)] == [by_default, by_default]
