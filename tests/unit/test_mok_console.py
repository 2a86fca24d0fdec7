"""The action plugin as ansible-playbook runs it, at its highest verbosity, against a stand-in for MokManager."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.gpufleet.nvidia.plugins.action import mok_console
from tests.unit import mok_manager_stand_in

ROOT = Path(__file__).resolve().parents[2]
CANARY = "Canary4711"
COMMAND = [sys.executable, mok_manager_stand_in.__file__]


def play(folder, *words, **options):
    """Runs one task that does not touch the host (reboot: false) and gives exit status, output and result."""
    task = {"gpufleet.nvidia.mok_console": {"reboot": False, "password": "{{ secret }}", **options}, "register": "said"}
    show = {
        "ansible.builtin.copy": {"content": "{{ said | to_json }}", "dest": str(folder / "said.json")},
        "check_mode": False,
    }
    block = {"block": [task], "always": [show]}
    plays = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [block]}]
    (folder / "play.yml").write_text(json.dumps(plays), encoding="utf-8")
    (folder / "secret.json").write_text(json.dumps({"secret": CANARY}), encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_HOME": str(folder), "LC_ALL": "C.UTF-8"}
    env |= {"ANSIBLE_LOG_PATH": str(folder / "log"), "ANSIBLE_LOCALHOST_WARNING": "false"}
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    argv = [
        program,
        "-i",
        "localhost,",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "-e",
        f"@{folder / 'secret.json'}",
        "-vvvv",
        *words,
        str(folder / "play.yml"),
    ]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)
    said = json.loads((folder / "said.json").read_text(encoding="utf-8"))
    output = done.stdout + done.stderr + (folder / "log").read_text(encoding="utf-8")
    assert CANARY.lower() not in (output + json.dumps(said)).lower()
    return done.returncode, output, said


def test_a_key_is_enrolled_and_the_password_is_nowhere(tmp_path):
    code, output, said = play(tmp_path, console={"command": [*COMMAND, "{{ secret }}", str(tmp_path / "report")]})
    assert (code, said["outcome"], said["changed"], said["rebooted"]) == (0, "enrolled", True, False)
    assert "localhost: Enroll the key(s)? No, Yes" in output
    assert said["screens"][-1]["pressed"] == ["Enter"]
    assert (tmp_path / "report").read_text(encoding="utf-8") == "rebooted True"


def test_a_wrong_password_fails_with_everything_that_was_seen(tmp_path):
    code, output, said = play(tmp_path, console={"command": [*COMMAND, "another1", str(tmp_path / "report")]})
    assert (code, said["outcome"], said["failed"], said["changed"]) == (2, "wrong_password", True, False)
    assert "Password doesn't match" in output and "ERROR" in said["transcript"]
    assert (tmp_path / "report").read_text(encoding="utf-8") == "booted False"


def test_check_mode_says_what_it_would_do_and_opens_nothing(tmp_path):
    code, _output, said = play(tmp_path, "--check", console={"socket": "/no/such/socket"})
    assert (code, said["changed"]) == (0, True)
    assert re.search(r"Would open .*/no/such/socket.*choose Enroll MOK", said["msg"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"console": {"socket": "/no/such/socket"}}, "cannot be reached from the controller"),
        ({"console": {"tcp": "h:1", "socket": "/x"}}, "exactly one of command, tcp and socket"),
        ({"console": {"socket": "/x"}, "request": "{{ secret }}"}, "request must be one of: enrol, delete"),
    ],
    ids=["refused", "two ways", "a secret where none belongs"],
)
def test_what_cannot_work_fails_before_anything_is_done(tmp_path, options, says):
    code, _output, said = play(tmp_path, **options)
    assert (code, said["failed"]) == (2, True) and says in said["msg"]


def test_a_missing_package_is_a_sentence_with_the_command(monkeypatch):
    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(AnsibleActionFail, match=r"no Python package pexpect.*-m pip install pexpect pyte"):
        mok_console.need_packages()
