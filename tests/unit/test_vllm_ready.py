"""A server is ready when it answers a real request; one that has died says so at once, with its cause."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_causes import CAUSES, decisive
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_journal import cause, parse
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_ready import Answer, NotReady, ensure
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_requests import (
    REQUESTS,
    body_of,
    is_answer,
    names_in,
)
from tests.unit.fake_system import FakeSystem

LLM = {"name": "llm", "url": "http://127.0.0.1:8000", "route": "/v1/completions", "served_name": "Q", "api_key": "k"}
GOOD = {
    "/health": Answer(200, ""),
    "/v1/models": Answer(200, '{"data": [{"id": "Q"}]}'),
    "/v1/completions": Answer(200, '{"choices": [{"text": ""}]}'),
}
ACTIVE = """Id=vllm@llm.service
LoadState=loaded
ActiveState=active
SubState=running
NRestarts=0
ExecMainStartTimestampMonotonic=1000000
ActiveEnterTimestampMonotonic=42500000
"""


class World:
    """Time, systemd and a server, all of them made up; :param answers: one dictionary for each look."""

    def __init__(self, *answers, units=(ACTIVE,), journal=""):
        self.now, self.asked, self.answers, self.units = 0.0, [], list(answers), list(units)
        commands = {("systemctl", "show"): lambda _argv: self._next(self.units), ("journalctl",): journal}
        self.system = FakeSystem(commands=commands)

    @staticmethod
    def _next(rows):
        return rows.pop(0) if len(rows) > 1 else rows[0]

    def http(self, method, url, key, body, seconds):
        path = url.removeprefix("http://127.0.0.1:8000")
        if path == "/health":
            self.current = self._next(self.answers)
        self.asked.append((method, path, key, body))
        return self.current.get(path, Answer(None, "Connection refused"))

    def sleep(self, seconds):
        self.now += seconds

    def run(self, *, apply=True, **changes):
        params = {"instances": [LLM], "timeout": 60, "request_timeout": 5, "interval": 2, **changes}
        return ensure(params, self.system, self.http, lambda: self.now, self.sleep, apply=apply)


def test_a_server_is_asked_for_its_health_its_name_and_one_real_answer():
    world = World(GOOD)
    assert world.run() == {"changed": False, "instances": {"llm": {"waited_s": 0.0, "ready_s": 41.5}}}
    assert [row[:3] for row in world.asked] == [
        ("GET", "/health", None),
        ("GET", "/v1/models", "k"),
        ("POST", "/v1/completions", "k"),
    ]
    assert json.loads(world.asked[-1][3])["model"] == "Q"


def test_one_that_loads_is_waited_for():
    assert World({}, {}, {"/health": Answer(503, "")}, GOOD).run()["instances"]["llm"]["waited_s"] == 6


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"/v1/models": Answer(401, "")}, "wants another key"),
        ({"/v1/models": Answer(200, '{"data": [{"id": "other"}]}')}, "names other, not Q"),
        ({"/v1/completions": Answer(404, "Not Found")}, "answers 404: Not Found"),
    ],
)
def test_what_waiting_cannot_mend_fails_at_once(changes, part):
    world = World({**GOOD, **changes})
    with pytest.raises(NotReady, match=part):
        world.run()
    assert world.now == 0


def test_a_reply_that_is_no_answer_is_not_ready_and_is_told_when_time_is_over():
    with pytest.raises(NotReady, match=r"After 60 s .*answers 200: .*NaN"):
        World({**GOOD, "/v1/completions": Answer(200, '{"choices": NaN}')}).run()


@pytest.mark.parametrize(
    "state",
    [
        "ActiveState=activating\nSubState=start-post\nMainPID=0",
        "ActiveState=failed\nSubState=failed",
        "ActiveState=activating\nSubState=auto-restart",
    ],
)
def test_a_dead_server_is_told_with_the_cause_in_its_journal(state):
    dead = ACTIVE.replace("ActiveState=active\nSubState=running", state)
    rows = [("1", "INFO 11-21 10:00:00 started"), ("1", "torch.OutOfMemoryError: CUDA out of memory.")]
    journal = "\n".join(json.dumps({"MESSAGE": text, "_SYSTEMD_INVOCATION_ID": run}) for run, text in rows)
    with pytest.raises(NotReady, match=r"Cause: gpu_memory\..*CUDA out of memory") as caught:
        World({}, units=(dead,), journal=journal).run()
    assert caught.value.details["cause"] == "gpu_memory"


def test_a_server_that_systemd_has_started_again_has_died_meanwhile():
    again = ACTIVE.replace("NRestarts=0", "NRestarts=1").replace("=active\n", "=activating\n")
    with pytest.raises(NotReady, match="has ended instead of serving"):
        World({}, units=(ACTIVE, again)).run()


def test_a_server_that_systemd_still_counts_as_starting_is_waited_for():
    starting = ACTIVE.replace("ActiveState=active\nSubState=running", "ActiveState=activating\nSubState=start-post")
    found = World(GOOD, units=(starting, starting, ACTIVE)).run()["instances"]["llm"]
    assert found == {"waited_s": 2, "ready_s": 41.5}


def test_a_server_without_a_unit_of_ours_is_only_asked():
    assert (
        World(GOOD, units=("Id=vllm@llm.service\nLoadState=not-found\n",)).run()["instances"]["llm"]["ready_s"] is None
    )


def test_check_mode_asks_nobody():
    world = World({})
    assert world.run(apply=False)["instances"] == {}
    assert world.asked == []


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("option_refused", "vllm serve: error: unrecognized arguments: --task"),
        ("port_taken", "OSError: [Errno 98] Address already in use"),
        (
            "port_taken",
            "Port 8000 is taken by nginx (process 7): a server there would load its model and never be heard.",
        ),
        ("driver_too_old", "RuntimeError: The NVIDIA driver on your system is too old (found version 12080)."),
        ("gpu_missing", "RuntimeError: No CUDA GPUs are available"),
        ("gpu_too_old", "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0."),
        (
            "share_not_free",
            "ValueError: Free memory on device (2.1/47.5 GiB) on startup is less than desired GPU memory utilization",
        ),
        ("cache_too_small", "ValueError: No available memory for the cache blocks."),
        ("token_missing", "huggingface_hub.errors.GatedRepoError: 401 Client Error."),
        ("model_missing", "huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name'"),
        ("offline", "huggingface_hub.errors.LocalEntryNotFoundError: outgoing traffic has been disabled"),
        ("model_unsupported", "ValueError: Model architectures ['X'] are not supported for now."),
        (
            "heads_not_divided",
            "Value error, Total number of attention heads (2) must be divisible by tensor parallel size (3).",
        ),
        ("compiler_missing", "RuntimeError: Failed to find C compiler. Please specify via CC environment variable."),
        ("compiler_missing", "InvalidCxxCompiler: No working C++ compiler found in torch._inductor.config.cpp.cxx"),
        ("host_memory", "vllm@llm.service: A process of this unit has been killed by the OOM killer."),
        ("sandbox", "vllm@llm.service: Main process exited, code=exited, status=226/NAMESPACE"),
        ("engine_died", "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."),
    ],
)
def test_words_of_a_server_become_a_cause(code, line):
    assert decisive(["Starting", line, "RuntimeError: Engine core initialization failed."])[:2] == (code, line)


def test_the_root_of_the_trouble_counts_and_not_what_follows():
    lines = [
        "INFO 11-21 14:00:00 [api.py:1] args: Namespace(trust_remote_code=True)",
        "WARNING 11-21 14:00:01 [x.py:2] Failed to import from vllm._C with ImportError('x')",
        "torch.OutOfMemoryError: CUDA out of memory.",
        "RuntimeError: Engine core initialization failed. See root cause above.",
    ]
    assert decisive(lines)[0] == "gpu_memory"
    assert decisive(lines[:2])[0] == "environment_broken"
    assert decisive([*lines[:2], lines[3]])[0] == "environment_broken"
    assert decisive([lines[3]])[0] == "engine_died"
    gone = "Failed to import from vllm._C: ImportError('libnuma.so.1: cannot open shared object file')"
    assert decisive([gone, "AttributeError: '_OpNamespace' '_C' object has no attribute 'x'"])[:2] == (
        "library_missing",
        gone,
    )
    assert decisive(["KeyError: 'x'", "all is well"])[:2] == ("unknown", "KeyError: 'x'")
    assert decisive(["all is well"])[:2] == ("unknown", None)


def test_every_cause_has_words_of_its_own_and_a_way_out():
    assert len({code for code, _words, _hint in CAUSES}) == len(CAUSES)
    assert all(hint.endswith(".") and len(hint) > 20 for _code, _words, hint in CAUSES)


def test_the_last_run_counts_and_an_empty_one_leaves_it_to_those_before():
    rows = [
        {"MESSAGE": "CUDA out of memory", "_SYSTEMD_INVOCATION_ID": "a", "SYSLOG_IDENTIFIER": "vllm"},
        {"MESSAGE": "Started", "INVOCATION_ID": "b", "SYSLOG_IDENTIFIER": "systemd"},
        {"MESSAGE": "PermissionError: [Errno 13] x", "_SYSTEMD_INVOCATION_ID": "b", "SYSLOG_IDENTIFIER": "vllm"},
    ]
    journal = "\n".join(map(json.dumps, rows))
    assert cause(FakeSystem(commands={("journalctl",): journal}), "u")["cause"] == "permission"
    first = json.dumps({**rows[2], "MESSAGE": "hello"})
    assert (
        cause(FakeSystem(commands={("journalctl",): f"{json.dumps(rows[0])}\n{first}"}), "u")["cause"] == "gpu_memory"
    )


@given(st.text() | st.lists(st.dictionaries(st.sampled_from(["MESSAGE", "INVOCATION_ID"]), st.text() | st.integers())))
def test_any_journal_can_be_read(given_text):
    text = given_text if isinstance(given_text, str) else "\n".join(map(json.dumps, given_text))
    assert all(line.strip() for _run, line in parse(text))


@pytest.mark.parametrize("route", REQUESTS)
@given(text=st.text() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_no_reply_can_break_the_look_at_it(route, text):
    assert is_answer(route, text) in (True, False)
    names_in(text)
    assert json.loads(body_of(route, "m"))["model"] == "m"


@pytest.mark.parametrize(
    ("route", "good", "bad"),
    [
        ("/v1/embeddings", {"data": [{"embedding": [0.1]}]}, {"data": [{"embedding": [float("nan")]}]}),
        ("/score", {"data": [{"score": 0.1}]}, {"data": [{"score": None}]}),
        ("/rerank", {"results": [{"relevance_score": 1}]}, {"results": []}),
        ("/classify", {"data": [{"probs": [0.5, 0.5]}]}, {"data": [{"probs": []}]}),
        ("/pooling", {"data": [{"data": [[0.1], [0.2]]}]}, {"data": [{"data": [["x"]]}]}),
        ("/v1/completions", {"choices": [{"text": "x"}]}, {"choices": []}),
    ],
)
def test_an_answer_has_what_the_route_is_for(route, good, bad):
    assert is_answer(route, json.dumps(good))
    assert not is_answer(route, json.dumps(bad))
