"""Whatever a record keeps is moved, named and mended. Each test leaves the host as it found it."""

from __future__ import annotations

import pytest

from tests import evidence
from tests.drift.fleet import Fleet, move, recap
from tests.drift.seen import FOLDER, is_file, kept, named, records, same, texts

FLEET = Fleet("drift")
ROLES = {"nvidia_driver", "persistenced", "cuda", "nccl"}
OURS = "Managed by gpufleet.nvidia"
# What else moves when the daemon is stopped, or the driver is not loaded.
FOLLOWS = (
    "persistence.",
    "gpus.",
    "cuda.files",
    "nvml.",
    "coherence.",
    "driver.loaded",
    "nccl.",
    "nouveau",
    "place",
    "kernel.",
)


def mend(expected: int | None = None) -> None:
    output = FLEET.mend()
    assert expected is None or recap(output, "drift13", "changed") == expected, output


def theirs(host, told) -> set[str]:
    """Files of a record that others have written, such as what a package brings."""
    paths = {path for _role, path in kept(told, "files", only=is_file)}
    return {path for path in paths if OURS not in host.file(path).content_string}


def test_every_role_has_left_a_record_for_root_alone(host):
    assert set(records(host)) == ROLES
    assert host.file(FOLDER).mode == 0o700
    for role in ROLES:
        file = host.file(f"{FOLDER}/{role}.json")
        assert (file.mode, file.user) == (0o600, "root")


@pytest.mark.parametrize("options", [[], ["--check"]])
def test_a_run_on_a_host_where_nothing_has_moved_is_one_look(options):
    FLEET.is_left_alone("drift13", options=options)


def test_every_fact_that_was_another_is_named_and_taken_anew(host):
    before = records(host)
    move(host, "facts")
    rc, report = FLEET.drift()
    assert rc != 0
    assert named(report, "fact") == kept(before, "facts")
    assert not any(named(report, kind) for kind in ("file", "package", "unit"))
    mend(expected=len(ROLES))  # the records, and nothing on the host
    same(host, before)


def test_every_edited_file_every_hold_and_every_unit_is_named_and_mended(host):
    before = records(host)
    others = theirs(host, before)
    move(host, "edited")
    rc, report = FLEET.drift()
    assert rc != 0
    files = kept(before, "files", only=lambda state: state is None or is_file(state))
    assert files <= named(report, "file") <= kept(before, "files")
    assert named(report, "package") == kept(before, "packages", only=lambda state: state and state["held"])
    assert named(report, "unit") == kept(before, "units") != set()
    assert all(name.startswith(FOLLOWS) for _role, name in named(report, "fact")), named(report, "fact")
    told = " ".join(texts(report))
    for words in (
        "/etc/modprobe.d/gpufleet-nvidia.conf edited",
        "no longer held",
        "nvidia-persistenced stopped, disabled",
    ):
        assert words in told
    mend()
    same(host, before, but=others)


def test_every_file_of_another_group_is_named_and_given_back_as_it_is(host):
    before = records(host)
    others = theirs(host, before)
    paths = {path for _role, path in kept(before, "files", only=is_file)} - others
    inodes = host.check_output(f"stat --format '%n %i %Y' {' '.join(sorted(paths))}")
    daemon = host.check_output("systemctl show --property MainPID nvidia-persistenced")
    move(host, "grouped", *others)
    rc, report = FLEET.drift()
    assert rc != 0
    assert {path for _role, path in named(report, "file")} == paths
    assert all(text.endswith("owner root:root → root:nogroup") for text in texts(report)), texts(report)
    mend()
    same(host, before)
    assert host.check_output(f"stat --format '%n %i %Y' {' '.join(sorted(paths))}") == inodes
    assert host.check_output("systemctl show --property MainPID nvidia-persistenced") == daemon
    FLEET.is_left_alone("drift13")


# Building takes minutes, so DKMS is asked for it once: what it has built it can install again at once.
@pytest.mark.parametrize("moved", ["unregistered", "unsigned", "lost"])
def test_modules_that_dkms_has_lost_or_others_have_changed_are_named_and_its_own_again(host, moved):
    before = records(host)
    packages = host.check_output("dpkg-query -W -f '${Package} ${Version} ${Status}\n'")
    move(host, moved)
    rc, report = FLEET.drift()
    assert rc != 0
    told = "driver.on_disk" if moved == "lost" else "driver.dkms"
    assert any(text.startswith(told) for text in texts(report)), texts(report)
    assert not any(named(report, kind) for kind in ("file", "package", "unit"))
    mend()
    same(host, before)
    assert {state for _name, _kernel, state in evidence.dkms(host)} == {"installed"}
    assert "differ" not in host.check_output("dkms status 2>&1").lower()
    assert host.run("find /var/lib/dkms -name original_module").stdout == ""
    assert host.check_output("dpkg-query -W -f '${Package} ${Version} ${Status}\n'") == packages
    FLEET.is_left_alone("drift13")


def test_every_removed_file_package_and_module_is_named_and_brought_back(host):
    before = records(host)
    move(host, "removed", *theirs(host, before))
    host.check_output("apt-get --yes --allow-change-held-packages remove libnccl2 python3-pynvml")
    host.check_output("modprobe -r nvidia_uvm nvidia")
    rc, report = FLEET.drift()
    assert rc != 0
    ours = {name for _role, name in named(report, "file")}
    assert "/etc/modprobe.d/gpufleet-nvidia.conf" in ours and not any(host.file(path).exists for path in ours)
    assert named(report, "package") == {("nccl", "libnccl2"), ("nvidia_driver", "python3-pynvml")}
    assert any(name.startswith("driver.loaded.version") for _role, name in named(report, "fact"))
    mend()
    same(host, before)


def test_a_record_that_cannot_be_trusted_is_not(host):
    before = records(host)
    move(host, "damaged")
    rc, report = FLEET.drift()
    assert rc != 0
    assert len([row for row in report["hosts"] if row["state"] == "damaged"]) == len(ROLES) - 1
    mend(expected=len(ROLES))
    same(host, before)


def test_everything_runs_when_it_is_told_to_and_finds_nothing_to_do():
    output = FLEET.mend("-e", "gpufleet_full=true")
    assert recap(output, "drift13", "changed") == 0 and recap(output, "drift13", "ok") > 10
    assert FLEET.drift()[0] == 0
