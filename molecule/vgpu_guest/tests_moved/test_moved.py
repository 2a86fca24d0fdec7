"""Whatever the record of role vgpu_guest keeps is moved on both guests at once, named, and mended by one run."""

from __future__ import annotations

import pytest

from tests import evidence
from tests.drift.fleet import Fleet, move
from tests.drift.seen import is_file, kept, named, places, records, same, texts

FLEET = Fleet("vgpu_guest")
CONF, TOKENS = "/etc/nvidia/gridd.conf", "/etc/nvidia/ClientConfigToken"
UNIT = "/etc/systemd/system/nvidia-gridd.service"
PACKAGE = "nvidia-linux-grid-535-stand-in"
# What else moves when the daemon stands still, the driver is not loaded, or nothing sets the clock.
FOLLOWS = ("gridd.", "gpus.", "nvml.", "grid.", "driver.", "nouveau", "place", "kernel.")


@pytest.fixture(scope="module")
def guests():
    return FLEET.hosts("vgpu_guests")


def modules(guest) -> list[str]:
    return places(guest, "$(find /lib/modules -name 'nvidia*.ko*')")


def starts(guest) -> int:
    return int(guest.check_output('journalctl -u nvidia-gridd -b -o cat --no-pager | grep -c "^Started ("'))


def test_what_is_edited_is_named_and_mended_and_nothing_else(guests):
    before = {name: records(guest) for name, guest in guests.items()}
    secret = guests["guest1"].check_output(f"cat {TOKENS}/good.tok").split(".")
    built = {name: modules(guest) for name, guest in guests.items()}
    started = {name: starts(guest) for name, guest in guests.items()}
    for guest in guests.values():
        move(guest, "facts")
        move(guest, "edited", CONF)
        guest.check_output(f"sed -i s/^FeatureType=1/FeatureType=2/ {CONF}")
    # What came with the package is covered by a unit of the administrator's own, which is theirs.
    guests["guest1"].check_output(f"cp $(dpkg -L {PACKAGE} | grep gridd.service) {UNIT} && echo '# mine' >> {UNIT}")
    rc, report = FLEET.drift()
    assert rc != 0
    for name, told in before.items():
        files = kept(told, "files", only=lambda state: state is None or is_file(state))
        assert named(report, "file", name) == files, name
        assert named(report, "package", name) == kept(told, "packages")
        assert named(report, "unit", name) == {("vgpu_guest", "nvidia-gridd.service")}
        assert named(report, "fact", name) == kept(told, "facts")
        said = texts(report, name)
        assert "nvidia-gridd stopped, disabled" in said and f"{TOKENS}/good.tok edited" in said
    assert f"{PACKAGE} no longer held" in texts(report) and f"{UNIT} appeared" in texts(report, "guest1")
    assert not [part for part in secret if part.strip() in str(report)]
    output = FLEET.mend("--diff")
    assert not [part for part in secret if part.strip() in output]
    for name, guest in guests.items():
        same(guest, before[name], but={UNIT} if name == "guest1" else ())
        assert modules(guest) == built[name]
        assert starts(guest) == started[name] + 1
    FLEET.is_left_alone(*guests)
    assert "# mine" in guests["guest1"].file(UNIT).content_string


def test_what_is_removed_and_what_others_have_taken_is_named_and_mended(guests):
    first, second = guests["guest1"], guests["guest2"]
    before = {name: records(guest) for name, guest in guests.items()}
    for guest in guests.values():
        guest.check_output("systemctl disable --now systemd-timesyncd && modprobe -r nvidia_uvm nvidia")
    move(first, "taken")
    first.check_output(f"rm -f {UNIT} && apt-get --yes --allow-change-held-packages remove {PACKAGE}")
    move(second, "removed")
    second.check_output(f"dkms remove nvidia/535.261.03 --all && echo no token > {TOKENS}/other.tok")
    rc, report = FLEET.drift()
    assert rc != 0
    assert named(report, "file", "guest1") == kept(before["guest1"], "files", only=bool)
    assert named(report, "file", "guest2") == kept(before["guest2"], "files", only=is_file)
    said = texts(report, "guest1")
    assert f"{PACKAGE} removed" in said and "nvidia-gridd removed" in said
    assert f"{TOKENS} mode 0755 → 0777, owner root:root → nobody:nogroup" in said
    assert f"{CONF} removed" in texts(report, "guest2")
    assert any(text.startswith("nvidia-gridd stopped") for text in texts(report, "guest2"))
    for name in guests:
        found = {path for _role, path in named(report, "fact", name)}
        moved = {"driver.dkms", "driver.loaded.version", "gridd.clock.source", "gridd.state"}
        assert moved <= found and all(path.startswith(FOLLOWS) for path in found), found
    FLEET.mend()
    for name, guest in guests.items():
        same(guest, before[name], but={UNIT} if name == "guest1" else ())
    FLEET.is_left_alone(*guests)


def test_a_group_alone_and_a_registration_that_dkms_has_lost_are_named_and_mended_and_nothing_starts_anew(guests):
    before = {name: records(guest) for name, guest in guests.items()}
    started = {name: starts(guest) for name, guest in guests.items()}
    for guest in guests.values():
        move(guest, "grouped")
        move(guest, "unregistered")
        assert modules(guest)
    rc, report = FLEET.drift()
    assert rc != 0
    for name, told in before.items():
        assert named(report, "file", name) == kept(told, "files", only=bool)
        said = texts(report, name)
        assert f"{TOKENS} owner root:root → root:nogroup" in said and f"{CONF} owner root:root → root:nogroup" in said
        assert {name for _role, name in named(report, "fact", name)} == {"driver.dkms"}
        assert not named(report, "unit", name) and not named(report, "package", name)
    FLEET.mend()
    for name, guest in guests.items():
        same(guest, before[name])
        assert {state for _name, _kernel, state in evidence.dkms(guest)} == {"installed"}
        assert guest.run("find /var/lib/dkms -name original_module").stdout == ""
        assert starts(guest) == started[name]
    FLEET.is_left_alone(*guests)
    for guest in guests.values():
        # The lab's kernel believes that an initramfs lacks a file of which anything, even the group, has changed since.
        guest.check_output("update-initramfs -u")


def test_modules_that_are_lost_or_changed_while_dkms_knows_them_are_named_and_mended(guests):
    before = {name: records(guest) for name, guest in guests.items()}
    move(guests["guest1"], "lost")
    move(guests["guest1"], "unregistered")
    move(guests["guest2"], "unsigned")
    rc, report = FLEET.drift()
    assert rc != 0
    for name in guests:
        assert any(text.startswith("driver.dkms") for text in texts(report, name)), texts(report, name)
    FLEET.mend()
    for name, guest in guests.items():
        same(guest, before[name])
        assert "differ" not in guest.check_output("dkms status 2>&1").lower()
    FLEET.is_left_alone(*guests)
