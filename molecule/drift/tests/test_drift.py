"""Whatever a record keeps is moved, named and mended. Each test leaves the host as it found it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
INVENTORY = HERE.parent / "inventory"
FOLDER = "/var/lib/gpufleet/records"
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


def play(name: str, *options: str) -> tuple[int, str]:
    """(exit status, output) of a playbook of the collection."""
    argv = ["ansible-playbook", "-i", str(INVENTORY), f"playbooks/{name}.yml", *options]
    plain = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}  # Molecule asks for colours
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **plain}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)
    return done.returncode, done.stdout + done.stderr


def recap(output: str, word: str) -> int:
    found = re.findall(rf"^drift13 +:.*\b{word}=(\d+)", output, flags=re.M)
    assert found, output
    return int(found[-1])


@pytest.fixture
def drift(tmp_path):
    """What playbooks/drift.yml says: (exit status, its JSON)."""

    def told() -> tuple[int, dict[str, Any]]:
        rc, output = play("drift", "-e", f"drift_output={tmp_path}/drift.json")
        file = tmp_path / "drift.json"
        assert file.is_file(), output
        return rc, json.loads(file.read_text(encoding="utf-8"))

    return told


@pytest.fixture
def move(host):
    """Runs moves.py on the host."""

    def moved(what: str) -> None:
        program = (HERE / "moves.py").read_text(encoding="utf-8")
        host.check_output(f"cat > /root/moves.py <<'END'\n{program}\nEND\npython3 /root/moves.py {what}")

    return moved


def records(host) -> dict[str, dict[str, Any]]:
    names = host.file(FOLDER).listdir()
    found = {name.removesuffix(".json"): host.file(f"{FOLDER}/{name}").content_string for name in names}
    return {role: json.loads(text) for role, text in found.items()}


def kept(told: dict[str, dict[str, Any]], part: str, *, only=lambda state: True) -> set[tuple[str, str]]:
    """{(role, name)} of one part of all records."""
    return {(role, name) for role, row in told.items() for name, state in row["managed"][part].items() if only(state)}


def named(report: dict[str, Any], kind: str) -> set[tuple[str, str]]:
    return {(row["role"], row["name"]) for row in report["drift"] if row["kind"] == kind}


def mend(expected: int | None = None) -> str:
    rc, output = play("site")
    assert rc == 0, output
    assert expected is None or recap(output, "changed") == expected, output
    return output


def settled(value: Any) -> Any:
    """Without the time of an initramfs, which is made anew for another configuration."""
    if isinstance(value, dict):
        return {key: settled(row) for key, row in value.items() if key != "initramfs_modified"}
    return [settled(row) for row in value] if isinstance(value, list) else value


def same(host, before: dict[str, dict[str, Any]], but: set[str] = frozenset()) -> None:
    """The records are what they were, apart from when they were written, and from these files."""
    after = records(host)
    for role, row in before.items():
        for part, states in row["managed"].items():
            was = {name: state for name, state in states.items() if name not in but}
            now = {name: state for name, state in after[role]["managed"][part].items() if name not in but}
            assert settled(now) == settled(was), (role, part)


def test_every_role_has_left_a_record_for_root_alone(host):
    assert set(records(host)) == ROLES
    assert host.file(FOLDER).mode == 0o700
    for role in ROLES:
        file = host.file(f"{FOLDER}/{role}.json")
        assert (file.mode, file.user) == (0o600, "root")


@pytest.mark.parametrize("options", [[], ["--check"]])
def test_a_run_on_a_host_where_nothing_has_moved_is_one_look(host, drift, options):
    rc, output = play("site", *options)
    assert rc == 0, output
    assert recap(output, "changed") == 0, output
    assert recap(output, "ok") == 1, output
    if not options:
        assert drift()[0] == 0


def test_every_fact_that_was_another_is_named_and_taken_anew(host, move, drift):
    before = records(host)
    move("facts")
    rc, report = drift()
    assert rc != 0
    assert named(report, "fact") == kept(before, "facts")
    assert not any(named(report, kind) for kind in ("file", "package", "unit"))
    mend(expected=len(ROLES))  # the records, and nothing on the host
    same(host, before)


def test_every_edited_file_every_hold_and_every_unit_is_named_and_mended(host, move, drift):
    before = records(host)
    theirs = {
        path
        for _role, path in kept(before, "files", only=lambda state: state and "sha256" in state)
        if OURS not in host.file(path).content_string
    }
    move("edited")
    rc, report = drift()
    assert rc != 0
    files = kept(before, "files", only=lambda state: state is None or "sha256" in state)
    assert files <= named(report, "file") <= kept(before, "files")
    assert named(report, "package") == kept(before, "packages", only=lambda state: state and state["held"])
    assert named(report, "unit") == kept(before, "units") != set()
    assert all(name.startswith(FOLLOWS) for _role, name in named(report, "fact")), named(report, "fact")
    texts = " ".join(row["text"] for row in report["drift"])
    for words in (
        "/etc/modprobe.d/gpufleet-nvidia.conf edited",
        "no longer held",
        "nvidia-persistenced stopped, disabled",
    ):
        assert words in texts
    mend()
    same(host, before, but=theirs)


def test_every_removed_file_package_and_module_is_named_and_brought_back(host, move, drift):
    before = records(host)
    move("removed")
    rc, report = drift()
    assert rc != 0
    ours = {name for _role, name in named(report, "file")}
    assert "/etc/modprobe.d/gpufleet-nvidia.conf" in ours and not any(host.file(path).exists for path in ours)
    assert named(report, "package") == {("nccl", "libnccl2"), ("nvidia_driver", "python3-pynvml")}
    assert any(name.startswith("driver.loaded.version") for _role, name in named(report, "fact"))
    mend()
    same(host, before)


def test_a_record_that_cannot_be_trusted_is_not(host, move, drift):
    before = records(host)
    move("damaged")
    rc, report = drift()
    assert rc != 0
    assert len([row for row in report["hosts"] if row["state"] == "damaged"]) == len(ROLES) - 1
    mend(expected=len(ROLES))
    same(host, before)


def test_everything_runs_when_it_is_told_to_and_finds_nothing_to_do(host, drift):
    rc, output = play("site", "-e", "gpufleet_full=true")
    assert rc == 0, output
    assert recap(output, "changed") == 0 and recap(output, "ok") > 10
    assert drift()[0] == 0
