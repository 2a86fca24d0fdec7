"""The lookup of everybody's wants, and the playbook that shows the plan, as Ansible runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack_options import ROLES, role_options
from tests.unit.conftest import ROOT


def play(folder: Path, *arguments: str) -> tuple[int, str]:
    """(exit status, output) of ansible-playbook, without the configuration and the hosts of anybody."""
    (folder / "ansible.cfg").write_text("", encoding="utf-8")
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_NOCOLOR": "1",
        "PWD": str(folder),
    }
    program = [sys.executable, "-m", "ansible", "playbook", *arguments]
    done = subprocess.run(
        program, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def wants(folder: Path, *arguments: str, **variables) -> dict:
    copy = {"content": "{{ lookup('gpufleet.nvidia.wants') }}", "dest": str(folder / "wants.json"), "mode": "0600"}
    tasks = [{"ansible.builtin.copy": copy}]
    plays = [{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]
    (folder / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    inventory = ["-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}", "-c", "local"]
    status, output = play(folder, "play.yml", *inventory, *arguments)
    assert status == 0, output
    return json.loads((folder / "wants.json").read_text(encoding="utf-8"))


def test_declared_variables_come_by_role_templated_and_typed(tmp_path):
    found = wants(
        tmp_path,
        "-e",
        "nvidia_driver_branch=535 nvidia_driver_gpu_required=no",
        base="12.6",
        cuda_versions=["{{ base }}", 11.8],
        cuda_nonsense=3,
        cuda_runfiles={"12.6": {"src": "/{{ base }}.run"}},
        nvidia_driver_version=None,
        other_branch=1,
    )
    assert found["nvidia_driver"] == {"branch": 535, "gpu_required": False, "version": None}
    assert found["cuda"] == {"versions": ["12.6", "11.8"], "runfiles": {"12.6": {"src": "/12.6.run"}}}
    assert set(found) == {"nvidia_driver", "cuda"}


def test_a_value_of_another_type_is_refused_by_the_variable_s_name(tmp_path):
    with pytest.raises(AssertionError, match="nvidia_driver_branch is not of the type"):
        wants(tmp_path, nvidia_driver_branch="newest")


def test_a_value_outside_the_choices_is_refused_in_the_words_of_the_argument_specification(tmp_path):
    said = "value of nvidia_driver_flavour must be one of: auto, open, proprietary, got: closed"
    with pytest.raises(AssertionError, match=said):
        wants(tmp_path, nvidia_driver_flavour="closed")


def test_every_role_is_read_and_secrets_are_left_out(tmp_path):
    assert set(role_options()) == {path.parents[1].name for path in ROLES.glob("*/meta/argument_specs.yml")}
    assert {"branch", "flavour"} <= set(role_options()["nvidia_driver"])
    specs = {"argument_specs": {"main": {"options": {"r_key": {"no_log": True}, "r_name": {"type": "str"}}}}}
    (tmp_path / "r" / "meta").mkdir(parents=True)
    (tmp_path / "r" / "meta" / "argument_specs.yml").write_text(yaml.safe_dump(specs), encoding="utf-8")
    assert role_options(tmp_path) == {"r": {"name": {"type": "str"}}}


def test_the_plan_of_a_fleet_names_every_host_and_is_written_once(tmp_path):
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    away = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-F /dev/null"}
    hosts = {
        "away": away,
        "here": {**local, "cuda_versions": ["12.6"]},
        "wrong": {**local, "nvidia_driver_branch": "newest"},
    }
    inventory = {"all": {"children": {"gpu_hosts": {"hosts": hosts}}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    arguments = [str(ROOT / "playbooks" / "plan.yml"), "-i", "hosts.yml"]
    _status, output = play(tmp_path, *arguments, "--check")
    assert not (tmp_path / "plan.json").exists()
    assert "verdict" in output and "CUDA 12.6" in output
    status, output = play(tmp_path, *arguments)
    assert status != 0 and "No plan could be made for away, wrong." in output
    plan = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o600
    assert set(plan) == {"away", "here", "wrong"}
    assert plan["away"]["stack"] is None and plan["away"]["error"]
    assert plan["wrong"]["stack"] is None and plan["wrong"]["error"]
    assert [row["release"] for row in plan["here"]["stack"]["cuda"]["releases"]] == ["12.6"]
    _status, output = play(tmp_path, *arguments)
    assert "changed=0" in output and "changed=1" not in output
    status, output = play(tmp_path, *arguments, "-l", "here")
    assert status == 0, output
