"""What playbooks/awx_setup.yml asks AWX for, told by a stand-in of awx.awx that writes down each call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = ROOT / "tests" / "unit" / "awx_stand_in"
IMAGE = {"awx_setup_image": "registry.example.org/gpufleet/nvidia-ee:0.1.0"}
DATA = yaml.safe_load((ROOT / "playbooks" / "vars" / "awx_setup.yml").read_text(encoding="utf-8"))


def play(folder: Path, extra: dict[str, Any], stand_in: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / 'collections'}:{STAND_IN if stand_in else folder}",
        "AWX_STAND_IN_CALLS": str(folder / "calls"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "LC_ALL": "C.UTF-8",
    }
    program = Path(sys.executable).parent / "ansible-playbook"
    argv = [str(program), "playbooks/awx_setup.yml", "-e", json.dumps(extra)]
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("awx")
    done = play(folder, {**IMAGE, "awx_setup_inventory_project": "", "awx_setup_slices": 6})
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in (folder / "calls").read_text(encoding="utf-8").splitlines()]


def of(calls, module: str) -> list[dict]:
    return [arguments for name, arguments in calls if name == module]


def patterns() -> dict[str, dict]:
    found = {}
    for path in sorted((ROOT / "extensions" / "patterns").glob("*/meta/pattern.json")):
        resources = json.loads(path.read_text(encoding="utf-8"))["aap_resources"]
        found[path.parents[1].name] = resources["controller_job_templates"][0]
    return found


def test_every_pattern_becomes_a_job_template():
    assert sorted(row["pattern"] for row in DATA["awx_setup_templates"]) == sorted(patterns())


def test_a_template_has_the_survey_and_the_playbook_of_its_pattern(calls):
    made = {row["name"]: row for row in of(calls, "job_template")}
    for name, pattern in patterns().items():
        row = made[pattern["name"]]
        assert row["survey_spec"] == pattern["survey"]
        assert (ROOT / row["playbook"]).name == f"{name}.yml" and (ROOT / row["playbook"]).is_file()


def test_long_jobs_alone_are_sliced(calls):
    sliced = {row["name"] for row in of(calls, "job_template") if row["job_slice_count"] == 6}
    assert sliced == {patterns()[name]["name"] for name in ("converge_gpu_hosts", "change_driver")}
    assert {row["job_slice_count"] for row in of(calls, "job_template")} == {1, 6}


def test_a_credential_type_brings_a_secret_of_a_role_and_keeps_it_secret(calls):
    specs = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in ROOT.glob("roles/*/meta/argument_specs.yml")]
    options = {k: v for spec in specs for k, v in spec["argument_specs"]["main"]["options"].items()}
    brought = set()
    for row in of(calls, "credential_type"):
        fields = {field["id"] for field in row["inputs"]["fields"] if field["secret"]}
        assert fields == set(row["inputs"]["required"])
        for variable, value in row["injectors"]["extra_vars"].items():
            assert options[variable].get("no_log"), variable
            assert value.removeprefix("{{ ").removesuffix(" }}") in fields and value.startswith("{{ ")
            brought.add(variable)
    assert {"vgpu_guest_token_content", "nvidia_driver_mok_password", "vllm_serve_hf_token"} < brought
    assert "vllm_serve_api_key" in brought


def nodes(calls, workflow: str) -> dict[str, dict]:
    found: dict[str, dict] = {}
    for row in of(calls, "workflow_job_template_node"):
        if row["workflow_job_template"] == workflow:
            found.setdefault(row["identifier"], {}).update(row)
    return found


by_workflow = pytest.mark.parametrize("workflow", [row["name"] for row in DATA["awx_setup_workflows"]])


@by_workflow
def test_nothing_but_the_plan_runs_before_somebody_approves(calls, workflow):
    found = nodes(calls, workflow)
    assert found["plan"]["success_nodes"] == ["approval"]
    assert found["approval"]["approval_node"]["name"] and "unified_job_template" not in found["approval"]
    starts = set(found) - {after for row in found.values() for after in row["success_nodes"] + row["failure_nodes"]}
    assert starts == {"plan"}


@by_workflow
def test_the_rest_waits_for_the_proof_of_the_canaries(calls, workflow):
    found = nodes(calls, workflow)
    way = ["plan"]
    while found[way[-1]]["success_nodes"]:
        way += found[way[-1]]["success_nodes"]
    assert way == ["plan", "approval", "canaries", "canaries_proof", "rest", "proof", "report"]
    assert found["canaries"]["limit"] == "gpu_canaries" and found["rest"]["limit"] == "gpu_hosts:!gpu_canaries"
    assert found["canaries"]["unified_job_template"] == found["rest"]["unified_job_template"]


@by_workflow
def test_every_failure_ends_in_a_report_that_fails(calls, workflow):
    found = nodes(calls, workflow)
    for name in set(found) - {"report", "stopped"}:
        assert found[name]["failure_nodes"] == ["stopped"], name
    assert found["stopped"]["extra_data"] == {"report_outcome": "stopped"}
    assert found["report"]["extra_data"] == {"report_outcome": "done"}


@by_workflow
def test_what_is_followed_is_there_before_it_is_named(calls, workflow):
    there: set[str] = set()
    for row in of(calls, "workflow_job_template_node"):
        if row["workflow_job_template"] == workflow:
            assert set(row.get("success_nodes", [])) | set(row.get("failure_nodes", [])) <= there
            there.add(row["identifier"])


def test_a_prompt_that_a_workflow_answers_is_one_that_its_template_asks(calls):
    """AWX refuses a node with a limit or a slice count where the template does not ask for it."""
    for row in of(calls, "job_template"):
        assert row["ask_limit_on_launch"] and row["ask_job_slice_count_on_launch"]


def test_groups_are_those_that_the_playbooks_name(calls):
    groups = {row["name"] for row in of(calls, "group")}
    example = yaml.safe_load((ROOT / "inventories" / "example" / "hosts.yml").read_text(encoding="utf-8"))
    assert groups == {*example, *example["gpu_hosts"]["children"], "gpu_canaries"}


def test_all_that_awx_lacks_is_named_before_anything_is_made(tmp_path):
    done = play(tmp_path, {"awx_setup_credentials": ["GPU hosts by SSH"]})
    assert done.returncode != 0 and not (tmp_path / "calls").exists()
    text = " ".join((done.stdout + done.stderr).split())
    assert "AWX has no execution environment named gpufleet.nvidia: make it there" in text
    assert "AWX has no credential named GPU hosts by SSH: make it there" in text


def test_without_the_collection_the_message_says_how_to_get_it(tmp_path):
    done = play(tmp_path, IMAGE, stand_in=False)
    assert done.returncode != 0
    assert "ansible-galaxy collection install awx.awx" in " ".join((done.stdout + done.stderr).split())
