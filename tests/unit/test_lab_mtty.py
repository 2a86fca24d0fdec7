"""The lab's machine with mediated devices, how it differs from the others, and what its benchmark counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import mdev
from tests.lab import image, inventory, record
from tests.lab.machine import disk, emulator, guest
from tests.lab.machine.kinds import MACHINES, MEDIATED_DEVICES, SECURE_BOOT
from tests.lab.places import KINDS
from tests.lab.record import Wanted

MDEV1 = Wanted("mdev1", "trixie", "none", None, "127.0.16.1", kind=MEDIATED_DEVICES)
RECIPE = image.Recipe("trixie", [("http://archive.example/debian", ["trixie"])], "", "", {}, ["udev"], "6.12.97")
NAMES = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 3).map(str))


def test_an_inventory_asks_for_one() -> None:
    own = {"lab_release": "trixie", "ansible_host": "127.0.16.1", "lab_kind": MEDIATED_DEVICES}
    assert inventory.parse(json.dumps({"_meta": {"hostvars": {"mdev1": own}}})) == [MDEV1]
    record.check(MDEV1, [])
    assert MDEV1.is_machine


def test_every_kind_but_the_container_is_a_machine() -> None:
    assert tuple(MACHINES) == KINDS[1:]


def test_its_firmware_knows_no_keys_and_needs_no_system_management_mode(tmp_path: Path) -> None:
    text = " ".join(emulator.command("mdev1", MACHINES[MEDIATED_DEVICES], tmp_path, "127.0.16.1"))
    assert "OVMF_CODE_4M.fd" in text
    assert "smm" not in text and "secure" not in text
    assert not MACHINES[MEDIATED_DEVICES].variables.name.endswith(".ms.fd")
    assert "smm=on" in " ".join(emulator.command("sb1", MACHINES[SECURE_BOOT], tmp_path, "127.0.10.9"))


def test_the_sample_driver_is_loaded_at_boot_and_nvidias_is_not(tmp_path: Path) -> None:
    for kind in MACHINES:
        guest.write(tmp_path / kind, MACHINES[kind])
    loaded = (tmp_path / MEDIATED_DEVICES / "etc/modules-load.d/mtty.conf").read_text().split()
    assert loaded == ["mtty", "vfio_iommu_type1"]
    unit = Path("etc/systemd/system/systemd-modules-load.service")
    assert not (tmp_path / MEDIATED_DEVICES / unit).is_symlink()
    assert (tmp_path / SECURE_BOOT / unit).readlink() == Path("/dev/null")


def test_a_disk_is_made_anew_when_its_own_modules_change(tmp_path: Path) -> None:
    kinds = {kind: disk.digest(RECIPE, MACHINES[kind]) for kind in MACHINES}
    assert len(set(kinds.values())) == len(MACHINES)
    other = tmp_path / "modules.sh"
    other.write_text("true\n")
    assert disk.digest(RECIPE, MACHINES[MEDIATED_DEVICES]._replace(modules=other)) != kinds[MEDIATED_DEVICES]
    assert disk.digest(RECIPE, MACHINES[SECURE_BOOT]) == kinds[SECURE_BOOT]


def test_the_benchmark_declares_the_same_devices_every_time_and_changes_the_last() -> None:
    before, after = mdev.rows(mdev.COUNT), mdev.rows(mdev.COUNT, mdev.TYPES[1])
    assert before[:-1] == after[:-1]
    assert before[-1]["uuid"] == after[-1]["uuid"]
    assert before[-1]["type"] != after[-1]["type"]
    assert len({row["uuid"] for row in before}) == mdev.COUNT


def test_the_benchmark_reads_inodes() -> None:
    text = "/sys/bus/mdev/devices/aa-1 20864\n/sys/bus/mdev/devices/aa-2 20925\n"
    assert mdev.parse_folders(text) == {"aa-1": "20864", "aa-2": "20925"}


@given(NAMES, NAMES)
def test_what_came_went_or_was_made_anew_differs(before: dict[str, str], after: dict[str, str]) -> None:
    found = set(mdev.differing(before, after))
    assert found == {name for name, _inode in set(before.items()) ^ set(after.items())}


@pytest.mark.parametrize("kind", MACHINES)
def test_the_program_that_brings_the_modules_is_there(kind: str) -> None:
    assert MACHINES[kind].modules.is_file()
