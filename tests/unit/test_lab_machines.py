"""The machines of the lab: what is asked for, what the guest is given, and how QEMU is called and ended."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab import host, image, inventory, keys, mirror, needs, process, record
from tests.lab.console import LabError
from tests.lab.machine import boot_menu, disk, emulator, glue, guest
from tests.lab.machine.kinds import MACHINES, SECURE_BOOT
from tests.lab.record import Record, Wanted

SB1 = Wanted("sb1", "trixie", "none", None, "127.0.10.9", kind="secure_boot")
ADDRESSES = st.tuples(*[st.integers(0, 255)] * 3).map(lambda parts: "127." + ".".join(map(str, parts)))


def recipe(address: str = "http://archive.example/debian") -> image.Recipe:
    text = mirror.sources_text(mirror.Mirror(address, None, True), "trixie")
    return image.Recipe("trixie", [(address, ["trixie"])], text, "", {}, ["udev"], "6.12.97")


def test_lab_kind_makes_a_machine_without_cards() -> None:
    own = '{"lab_release": "trixie", "ansible_host": "127.0.10.9", "lab_kind": "secure_boot"}'
    assert inventory.parse(f'{{"_meta": {{"hostvars": {{"sb1": {own}}}}}}}') == [SB1]


def test_a_machine_as_wanted_is_fine() -> None:
    record.check(SB1, [])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"release": "bookworm"}, "lab_release trixie"),
        ({"profile": "h200x8"}, "no card"),
        ({"loaded": "550.163.01"}, "no card"),
        ({"kernel": "newest"}, "lab_kernel is buildable"),
        ({"kind": "vm"}, "container or secure_boot"),
    ],
)
def test_what_a_machine_cannot_be_is_refused_with_the_reason(changed: dict[str, str], said: str) -> None:
    with pytest.raises(LabError, match=said):
        record.check(SB1._replace(**changed), [])


def test_a_container_does_not_become_a_machine() -> None:
    there = Record(**SB1._replace(kind="container")._asdict(), image="/images/x", pid=None, started=None)
    with pytest.raises(LabError, match="kind container, not secure_boot"):
        record.check(SB1, [there])


def test_only_a_machine_has_a_console() -> None:
    machine = Record(**SB1._asdict(), image="/images/x", pid=None, started=None)
    assert machine.describe()["console"] == f"{machine.address}:2223"
    assert "console" not in machine._replace(kind="container").describe()


def test_a_record_of_a_container_from_before_there_were_machines_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "HOSTS", tmp_path)
    (tmp_path / "sb1").mkdir()
    kept = record.save(Record(**SB1._replace(kind="container")._asdict(), image="/i", pid=None, started=None))
    path = tmp_path / "sb1/record.json"
    path.write_text(re.sub(r',\s*"kind": "container"', "", path.read_text()))
    assert "kind" not in path.read_text()
    assert record.read("sb1") == kept


def test_the_emulators_packages_are_asked_for_only_with_a_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(needs, "PROGRAMS", {})
    monkeypatch.setattr(needs, "MACHINE_PROGRAMS", {str(tmp_path / "qemu"): "qemu-system-x86"})
    monkeypatch.setattr(needs, "refuse_unless_possible", lambda: None)
    monkeypatch.setattr(needs, "run", lambda argv, **_options: calls.append(argv))
    needs.provide(tmp_path / "log")
    assert not calls
    needs.provide(tmp_path / "log", machines=True)
    assert calls[-1][-1] == "qemu-system-x86"


@pytest.mark.parametrize(
    ("outside", "inside"),
    [
        ("URIs: http://127.0.0.1:3142/debian\n", "URIs: http://10.0.2.2:3142/debian\n"),
        ("URIs: http://localhost/debian\n", "URIs: http://10.0.2.2/debian\n"),
        ('Acquire::http::Proxy "http://[::1]:8080";', 'Acquire::http::Proxy "http://10.0.2.2:8080";'),
        ('Acquire::http::Proxy "http://localhost";', 'Acquire::http::Proxy "http://10.0.2.2";'),
        ("URIs: http://localhost.example/debian\n", "URIs: http://localhost.example/debian\n"),
        ("URIs: http://127.0.0.1.example/debian\n", "URIs: http://127.0.0.1.example/debian\n"),
        ("URIs: http://archive.example/127.0.0.1/\n", "URIs: http://archive.example/127.0.0.1/\n"),
    ],
)
def test_an_archive_on_the_machine_itself_is_found_from_inside(outside: str, inside: str) -> None:
    assert guest.from_inside(outside) == inside


@given(ADDRESSES, st.from_regex(r"(:[0-9]{1,5})?(/[a-z]*)?", fullmatch=True))
def test_no_loopback_address_reaches_the_guest(address: str, rest: str) -> None:
    assert guest.from_inside(f"deb http://{address}{rest} trixie main") == f"deb http://10.0.2.2{rest} trixie main"


def test_the_guests_archive_has_the_drivers_components() -> None:
    assert (
        disk.sources(recipe(), MACHINES[SECURE_BOOT]).count("Components: main contrib non-free non-free-firmware\n")
        == 1
    )


def test_the_digest_of_a_disk_changes_with_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    before = disk.digest(recipe(), MACHINES[SECURE_BOOT])
    assert before == disk.digest(recipe(), MACHINES[SECURE_BOOT])
    assert before != disk.digest(recipe("http://other.example/debian"), MACHINES[SECURE_BOOT])
    monkeypatch.setattr(disk, "TOOLS", [*disk.TOOLS, "keyutils"])
    assert before != disk.digest(recipe(), MACHINES[SECURE_BOOT])


def test_what_belongs_to_one_host_is_packed_as_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST_KEY", "KEY"):
        monkeypatch.setattr(keys, name, tmp_path / name)
        (tmp_path / name).write_text(f"private {name}\n")
        (tmp_path / f"{name}.pub").write_text(f"public {name}\n")
    monkeypatch.setattr(disk, "overlay", lambda folder, target: target.write_text(str(folder)))
    home = tmp_path / "home"
    home.mkdir()
    glue.make("sb1", MACHINES[SECURE_BOOT]._replace(variables=tmp_path / "KEY"), tmp_path, home)
    archive = emulator.belongings(home)
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as tar:
        entries = {entry.name: entry for entry in tar.getmembers()}
        hosts = tar.extractfile("etc/hosts")
        assert hosts is not None and b"127.0.1.1 sb1\n" in hosts.read()
    assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}
    assert entries["etc/ssh/ssh_host_ed25519_key"].mode == 0o600
    assert [name for name, entry in entries.items() if entry.isdir()] == ["root/.ssh"]
    assert sorted(path.name for path in home.iterdir()) == ["belongings.tar", "disk.qcow2", "variables.fd"]


def test_no_file_of_the_guest_replaces_a_link_of_merged_usr() -> None:
    assert {name.split("/")[0] for name in guest.FILES} <= {"etc", "boot", "usr"}


def test_the_firmware_grub_and_fstab_name_the_same_file_systems() -> None:
    for text in (boot_menu.files()["boot/grub/grub.cfg"], guest.FSTAB, guest.FIRST_MENU):
        assert boot_menu.ROOT_UUID in text
    assert f"UUID={guest.ESP_SERIAL[:4]}-{guest.ESP_SERIAL[4:]} /boot/efi" in guest.FSTAB


def test_the_machine_keeps_its_own_state_and_a_reboot_stays_inside(tmp_path: Path) -> None:
    words = emulator.command("sb1", MACHINES[SECURE_BOOT], tmp_path, "127.0.10.9")
    text = " ".join(words)
    assert "-no-reboot" not in words
    assert f"hostfwd=tcp:127.0.10.9:{keys.SSH_PORT}-:{keys.SSH_PORT}" in text
    assert f"unit=1,format=raw,file={tmp_path / 'variables.fd'}" in text
    assert f"unit=0,format=raw,readonly=on,file={MACHINES[SECURE_BOOT].code}" in text
    assert "host=127.0.10.9,port=2223,server=on,wait=off" in text
    assert f"logfile={tmp_path / 'console.log'}" in text


def test_a_machine_that_does_not_start_tells_what_qemu_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import sys; sys.exit('Could not set up host forwarding rule')"
    monkeypatch.setattr(emulator, "command", lambda *_args: [sys.executable, "-c", script])
    with pytest.raises(LabError, match="sb1: QEMU ended at once with 1: Could not set up host forwarding"):
        emulator.start("sb1", MACHINES[SECURE_BOOT], tmp_path, "127.0.10.9")


def test_the_power_is_cut_only_for_our_own_process() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = process.start_time(child.pid)
    emulator.stop(child.pid, (started or 0) + 1)
    emulator.stop(None, started)
    assert child.poll() is None
    emulator.stop(child.pid, started)
    assert child.wait(timeout=5) == -signal.SIGTERM


def test_a_machine_that_is_taken_down_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (record, host):
        monkeypatch.setattr(module, "HOSTS", tmp_path)
    monkeypatch.setattr(host.packages, "PACKAGES", tmp_path / "cache")
    (tmp_path / "sb1").mkdir()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = process.start_time(child.pid)
    record.save(Record(**SB1._asdict(), image="/i", pid=child.pid, started=started))
    assert host.remove("sb1")
    assert child.wait(timeout=5) == -signal.SIGTERM
    assert not (tmp_path / "sb1").exists()
