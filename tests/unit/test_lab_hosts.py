"""The lab's own logic: the archive that it takes, inventories, addresses, mounts and processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import __main__ as command_line
from tests.lab import console, host, image, inventory, mirror, needs, overlay, packages, process
from tests.lab.console import LabError
from tests.lab.host import Record, Wanted

BASE = "http://archive.example/debian"
SAFE = "http://archive.example/debian-security"
TARGETS = f"{BASE}/|bookworm|main\n{BASE}/|bookworm-updates|main\n{SAFE}/|bookworm-security|main\n"
GPU1 = Wanted("gpu1", "bookworm", "tesla-p4", None, "127.0.10.1")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (TARGETS, mirror.Mirror(BASE, SAFE, True)),
        (f"http://other.example/node|nodistro|main\n{BASE}|trixie|main\n", mirror.Mirror(BASE, None, False)),
        (f"{BASE}|bookworm|contrib\n", None),
        ("http://other.example/ubuntu|noble|main\n", None),
        (f"{BASE}|stable|main\n{SAFE}|stable-security|main\n", mirror.Mirror(BASE, SAFE, False)),
        ("", None),
        ("nonsense", None),
    ],
)
def test_the_archive_is_that_of_the_machine(text: str, found: mirror.Mirror | None) -> None:
    assert mirror.parse_targets(text) == found


def test_a_hosts_sources_have_the_components_of_a_fresh_debian() -> None:
    text = mirror.sources_text(mirror.Mirror(BASE, SAFE, True), "trixie")
    assert "Suites: trixie trixie-updates\n" in text
    assert "Suites: trixie-security\n" in text
    assert text.count("Components: main non-free-firmware\n") == 2
    assert f"Signed-By: {mirror.KEYRING}\n" in text


def test_of_apts_settings_only_those_of_the_way_to_the_archive_are_kept() -> None:
    dump = (
        'APT::Install-Recommends "1";\nAcquire::http::Proxy "http://proxy.example:3128";\nAcquire::https::CaInfo "";\n'
    )
    assert mirror.parse_apt_settings(dump) == 'Acquire::http::Proxy "http://proxy.example:3128";\n'


def test_the_digest_of_an_image_changes_with_its_recipe() -> None:
    one = image.Recipe("bookworm", [(BASE, ["bookworm"])], "text", "", {}, ["udev"], "")
    assert one.digest() == one._replace().digest()
    assert one.digest() != one._replace(packages=["udev", "sudo"]).digest()


def inventory_text(**hosts: dict[str, str]) -> str:
    return json.dumps({"_meta": {"hostvars": hosts}, "all": {"children": ["ungrouped"]}})


def test_hosts_of_the_lab_are_those_with_a_release() -> None:
    lab = {"lab_release": "trixie", "ansible_host": "127.0.10.2", "lab_profile": "h200x8", "lab_loaded": "550.163.01"}
    text = inventory_text(b=lab, a={"ansible_host": "192.0.2.7"})
    assert inventory.parse(text) == [Wanted("b", "trixie", "h200x8", "550.163.01", "127.0.10.2")]


def test_a_lab_host_without_an_address_is_refused() -> None:
    with pytest.raises(LabError, match="ansible_host"):
        inventory.parse(inventory_text(a={"lab_release": "trixie"}))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "GPU_1"}, "name"),
        ({"release": "buster"}, "bookworm and trixie"),
        ({"address": "192.0.2.1"}, "127.0.0.0/8"),
        ({"address": "127.0.0.1"}, "not 127.0.0.1"),
        ({"name": "gpu2"}, "has the address"),
        ({"profile": "h200x8"}, "down gpu1"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_reason(changed: dict[str, str], said: str) -> None:
    there = Record(**GPU1._asdict(), image="/images/x", pid=None, started=None)
    with pytest.raises(LabError, match=said):
        host.check(GPU1._replace(**changed), [there])


def test_a_host_that_is_there_as_wanted_is_fine() -> None:
    host.check(GPU1, [Record(**GPU1._asdict(), image="/images/x", pid=1, started=2)])


def test_addresses_are_given_out_once() -> None:
    assert command_line.free_address({"127.0.12.1", "127.0.12.3"}) == "127.0.12.2"


def test_mounts_below_a_folder_come_deepest_first() -> None:
    line = "36 35 98:0 / {} rw,noatime - overlay overlay rw\n"
    mounts = "".join(line.format(path) for path in ("/", "/h/a", "/h/a/root", "/h/a/root/proc", "/h/ab/root"))
    found = overlay.mounted_under(Path("/h/a"), mounts)
    assert found == [Path("/h/a/root/proc"), Path("/h/a/root"), Path("/h/a")]


def test_packages_are_shared_by_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "PACKAGES", tmp_path / "cache")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one/jq_1_amd64.deb").write_text("jq")
    (tmp_path / "one/lock").write_text("")
    packages.collect("trixie", tmp_path / "one")
    packages.collect("trixie", tmp_path / "one")
    packages.hand_out("trixie", tmp_path / "two")
    assert [path.name for path in (tmp_path / "two").iterdir()] == ["jq_1_amd64.deb"]
    assert (tmp_path / "two/jq_1_amd64.deb").samefile(tmp_path / "one/jq_1_amd64.deb")


def test_a_process_is_known_by_its_number_and_its_start() -> None:
    started = process.start_time(os.getpid())
    assert process.is_ours(os.getpid(), started)
    assert not process.is_ours(os.getpid(), (started or 0) + 1)
    assert not process.is_ours(None, None)


def test_a_process_that_has_ended_is_not_ours() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    started = process.start_time(child.pid)
    child.wait()
    assert not process.is_ours(child.pid, started)


@pytest.mark.parametrize(("seconds", "text"), [(0.42, "0.4 s"), (45.2, "45 s"), (184.6, "3 min 05 s")])
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert console.duration(seconds) == text


def test_a_command_that_fails_tells_its_last_words() -> None:
    with pytest.raises(LabError, match="no such archive"):
        console.run(["sh", "-c", "echo no such archive >&2; exit 3"])


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(LabError, match="no-such-program"):
        console.run(["no-such-program"])


def test_without_root_the_lab_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="make site INVENTORY="):
        needs.refuse_unless_possible()


def test_on_another_system_the_lab_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(LabError, match="Linux"):
        needs.refuse_unless_possible()
