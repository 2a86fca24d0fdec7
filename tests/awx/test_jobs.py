"""The collection's job templates, run by the engine that AWX uses. What could change this machine runs as a check."""

from __future__ import annotations

import pytest

from tests.awx.jobs import RUNNER, inventory, prepare, run, run_elsewhere

pytestmark = pytest.mark.skipif(RUNNER is None, reason="ansible-runner is not installed")

NAMES = ("gpu1", "gpu2", "gpu3")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """It only reads the hosts; its file is written where the job runs."""
    folder = prepare(tmp_path_factory.mktemp("whole"), inventory(*NAMES), {})
    job = run(folder, "plan_gpu_hosts")
    assert (folder / "project" / "plan.json").is_file()
    return job


def test_the_plan_is_handed_on_for_every_host(whole):
    assert whole.status == "successful"
    assert set(whole.artifacts["gpufleet_plan"]) == set(NAMES)
    assert all(row["driver"] and row["verdict"] for row in whole.artifacts["gpufleet_plan"].values())


def test_the_way_over_another_node_hands_on_the_same(whole, tmp_path):
    folder = prepare(tmp_path / "sent", inventory(*NAMES), {}, "--check")
    job = run_elsewhere(folder, "plan_gpu_hosts", tmp_path)
    assert job.status == "successful"
    assert job.artifacts == whole.artifacts


def test_slices_together_are_the_whole(whole, tmp_path):
    """A slice is the same job on a part of the inventory; AWX deals hosts out in turn."""
    plans = {}
    for number in range(2):
        folder = prepare(tmp_path / str(number), inventory(*NAMES[number::2]), {}, "--check")
        job = run(folder, "plan_gpu_hosts")
        assert job.status == "successful"
        plans.update(job.artifacts["gpufleet_plan"])
    assert plans == whole.artifacts["gpufleet_plan"]


def test_answers_of_a_survey_are_taken_as_they_come(whole, tmp_path):
    """Choices and texts are strings, lists are lists, and a text that nobody gave is empty."""
    answers = {"nvidia_driver_branch": "535", "vllm_serve_version": "", "cuda_versions": ["12.2"]}
    folder = prepare(tmp_path, inventory("gpu1", nvidia_driver_gpu_required=False), answers, "--check")
    job = run(folder, "plan_gpu_hosts")
    assert job.status == "successful"
    row = job.artifacts["gpufleet_plan"]["gpu1"]
    assert row["driver"].startswith("535") and row["cuda"].startswith("12.2")
    assert row["vllm"] == whole.artifacts["gpufleet_plan"]["gpu1"]["vllm"]


def test_an_answer_outside_the_choices_is_refused_with_the_choices(tmp_path):
    answers = {"nvidia_driver_flavour": "closed", "nvidia_driver_gpu_required": "false"}
    job = run(prepare(tmp_path, inventory("gpu1"), answers, "--check"), "converge_gpu_hosts")
    assert job.status == "failed"
    (text,) = job.failures()
    assert "nvidia_driver_flavour must be one of: auto, open, proprietary, got: closed" in text


def test_a_host_without_a_card_is_refused_before_anything_changes(tmp_path):
    answers = {"nvidia_driver_reboot_ok": "false", "gpufleet_batches": "", "gpufleet_max_fail_percentage": 100}
    job = run(prepare(tmp_path, inventory(*NAMES[:2]), answers, "--check"), "converge_gpu_hosts")
    assert job.status == "failed" and job.changed() == {}
    assert len(job.failures()) == 2
    assert all("No NVIDIA GPU is on this host's PCI bus" in text for text in job.failures())


def test_the_last_job_of_a_workflow_sees_what_the_others_handed_on(whole, tmp_path):
    answers = {**whole.artifacts, "gpufleet_verified": list(NAMES), "report_outcome": "done"}
    job = run(prepare(tmp_path, inventory(*NAMES), answers), "report_change")
    assert job.status == "successful"
    assert job.artifacts["gpufleet_report"]["unproven"] == []


def test_a_change_that_stopped_is_not_green(whole, tmp_path):
    answers = {**whole.artifacts, "report_outcome": "stopped"}
    job = run(prepare(tmp_path, inventory(*NAMES), answers), "report_change")
    assert job.status == "failed"
    assert job.artifacts["gpufleet_report"]["unproven"] == list(NAMES)
