"""The role's platform files name the daemon as the driver's catalogue does, and hold a unit that the plan takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.persistence_plan import persistence_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.persistence_unit import user_of
from tests.unit.persistence_hosts import host

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "plugins" / "plugin_utils" / "catalogue" / "platforms"
VARS = ROOT / "roles" / "persistenced" / "vars"
FAMILIES = {"debian": "debian", "ubuntu": "ubuntu", "rhel": "rhel", "suse": "sles", "arch": "arch"}


def load(path: Path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def packaged(name: str):
    return load(VARS / f"{name}.yml")["__persistenced_packaged"]


def test_every_platform_file_is_compared():
    assert {path.stem for path in VARS.glob("*.yml")} == {"main", *FAMILIES}


@pytest.mark.parametrize(("name", "family"), FAMILIES.items())
def test_package_and_user_are_those_of_the_catalogue(name, family):
    known = load(CATALOGUE / f"{family}.yml")["persistence"]
    assert packaged(name)["package"] == known["package"]
    assert user_of(packaged(name)["exec_start"]) == known["user"]
    assert packaged(name)["path"].endswith(known["unit"])


@pytest.mark.parametrize("name", FAMILIES)
def test_the_daemon_is_installed_and_starts_at_boot(name):
    found = persistence_plan(host(None), {}, packaged(name))
    assert found["packages"] and found["files"] and found["start"]
    assert found["link"] or found["enable"] or packaged(name)["unit_file_state"] == "enabled"
