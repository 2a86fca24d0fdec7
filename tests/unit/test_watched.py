"""A long module is asked first, runs by itself, and its log's last line is shown meanwhile."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils import watched

LOG = "/var/log/it's"
ASKED = {"changed": True, "log": LOG}
DONE = {"changed": True, "steps": ["x"], "finished": 1, "started": 1, "ansible_job_id": "j1", "results_file": "/a/j1"}


def breaks(why):
    raise why


class Action(watched.WatchedAction):
    """Without the parts of Ansible that reach a host; *answers* are what the host says, in order."""

    module = "gpufleet.nvidia.vllm_model"
    items = "models"

    def __init__(self, answers, lines=(), **arguments):
        self._task: Any = SimpleNamespace(check_mode=False, async_val=0, args=arguments, no_log=False)
        shell = SimpleNamespace(quote=lambda text: f"'{text}'", tmpdir=None)
        self._connection: Any = SimpleNamespace(_shell=shell)
        self.answers, self.lines = list(answers), list(lines)
        self.calls: list[tuple[str, bool, int, Any]] = []

    def _execute_module(self, module_name=None, module_args=None, wrap_async=False, **more):
        mode = module_args.get("mode") or self._task.check_mode
        self.calls.append((module_name.split(".")[-1], wrap_async, self._task.async_val, mode))
        answer = self.answers.pop(0) if module_args.get("mode") != "cleanup" else {}
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _low_level_execute_command(self, command, **more):
        line = self.lines.pop(0) if self.lines else None
        if isinstance(line, Exception):
            breaks(line)
        return {"rc": 0 if line is not None else 1, "stdout": line or ""}


@pytest.fixture(autouse=True)
def shown(monkeypatch):
    """What a person sees; nobody waits."""
    lines: list[str] = []
    monkeypatch.setattr(watched.display, "display", lines.append)
    monkeypatch.setattr(watched.time, "sleep", lambda seconds: None)
    return lines


STARTED = {"ansible_job_id": "j1", "results_file": "/root/.ansible_async/j1", "started": 1}
WAITING = {"finished": 0, "started": 1}


@pytest.mark.parametrize("answer", [{"changed": False, "log": LOG}, {"failed": True, "msg": "no"}])
def test_most_runs_end_with_the_question(answer):
    action = Action([answer])
    assert action._asked({}) == answer
    assert action.calls == [("vllm_model", False, 0, True)] and action._task.check_mode is False


def test_check_mode_is_the_question_alone():
    action = Action([ASKED])
    action._task.check_mode = True
    assert action._asked({}) == ASKED and len(action.calls) == 1


def test_what_is_to_be_done_runs_by_itself_and_its_log_is_shown_once_a_line(shown):
    lines = ["2026-11-21 14:48:33 a/b: 1 of 9 MiB", "2026-11-21 14:48:43 a/b: 1 of 9 MiB", "a/b: 5 of 9 MiB"]
    action = Action([ASKED, STARTED, WAITING, WAITING, WAITING, WAITING, DONE], lines)
    assert action._asked({}) == {"changed": True, "steps": ["x"]}
    assert shown == ["    … a/b: 1 of 9 MiB", "    … a/b: 5 of 9 MiB"]
    assert [call[0] for call in action.calls[:2]] == ["vllm_model", "vllm_model"] and action.calls[1][1]
    assert action.calls[2] == ("async_status", False, 0, "status") and action.calls[-1][3] == "cleanup"
    assert action._task.async_val == 0


def test_a_failure_of_the_module_is_the_task_s_failure():
    action = Action([ASKED, STARTED, {"failed": True, "msg": "the disk is full", "finished": 1}])
    assert action._asked({}) == {"failed": True, "msg": "the disk is full"}
    action = Action([ASKED, {"failed": True, "msg": "no python"}])
    assert action._asked({})["msg"] == "no python"


def test_a_connection_that_breaks_does_not_end_a_download(shown):
    gone = AnsibleConnectionFailure("gone")
    action = Action([ASKED, STARTED, gone, WAITING, gone, DONE], [gone, "halfway", None])
    assert action._asked({})["changed"] and shown == ["    … halfway"]


def test_a_task_that_logs_nothing_shows_nothing(shown):
    action = Action([ASKED, STARTED, WAITING, DONE], ["a line"])
    action._task.no_log = True
    assert action._asked({})["changed"] and shown == []


def test_what_never_ends_is_told_with_its_log(monkeypatch):
    clock = iter([0.0, 10.0, 1e9])
    monkeypatch.setattr(watched.time, "monotonic", lambda: next(clock))
    result = Action([ASKED, STARTED, WAITING, WAITING], timeout=60)._asked({})
    assert result["failed"] and "did not end within 3660 s" in result["msg"] and LOG in result["msg"]


def test_each_model_may_take_the_time_out():
    assert Action([], timeout=60, models=[1, 2, 3])._limit() == 180 + 3600
    assert Action([], timeout="60")._limit() == 60 + 3600
    assert Action([])._limit() == 7200 + 3600


def test_whoever_waits_in_their_own_way_gets_the_job():
    action = Action([STARTED])
    action._task.async_val = 100
    assert action._asked({}) == STARTED and action.calls == [("vllm_model", True, 100, False)]


@given(st.text(max_size=400))
def test_a_shown_line_is_one_short_line(text):
    assert len(watched.shown(text)) <= watched.WIDTH and "\n" not in watched.shown(text)


def test_of_pip_s_log_only_what_is_for_people_is_shown():
    log = "2026-11-21T14:13:45,137   Downloading torch-2.13.0.whl (888 MB)\n2026-11-21T14:13:46,001 Link requires x\n\n"
    assert watched.shown(log, "(Collecting|Downloading) ") == "Downloading torch-2.13.0.whl (888 MB)"
    assert watched.shown(log) == "Link requires x" and watched.shown(log, "Never ") == ""
