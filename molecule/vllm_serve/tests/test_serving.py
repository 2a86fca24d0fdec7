"""Three real servers on the host: their answers, their doors, their units, and where their key is not."""

from __future__ import annotations

import base64
import json

import pytest

KEY = 'k"e\\y$`1%'
PORTS = {"llm": 58001, "embedding": 58002, "reranker": 58003}
ASK = """
import json, sys, urllib.error, urllib.request
url, key, body = json.load(sys.stdin)
headers = {"Content-Type": "application/json", **({"Authorization": "Bearer " + key} if key else {})}
asked = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
try:
    with urllib.request.urlopen(asked, timeout=60) as answer:
        print(json.dumps([answer.status, answer.read().decode()]))
except urllib.error.HTTPError as exc:
    print(json.dumps([exc.code, exc.read().decode()]))
"""


def ask(host, place, path, body=None, key=KEY):
    told = json.dumps([f"http://{place}{path}", key, body])
    packed = base64.b64encode(told.encode()).decode()  # the key has letters that a shell would read
    status, text = json.loads(host.check_output("echo %s | base64 -d | python3 -c %s", packed, ASK))
    return status, json.loads(text) if text.startswith(("{", "[")) else text


def test_a_chat_model_says_something(host):
    body = {"model": "alias", "prompt": "Hello", "max_tokens": 4}
    status, answer = ask(host, "127.0.0.1:58001", "/v1/completions", body)
    assert (status, answer["usage"]["completion_tokens"]) == (200, 4)


def test_an_embedding_has_numbers(host):
    status, answer = ask(host, "127.0.0.1:58002", "/v1/embeddings", {"model": "embedding", "input": ["a", "b"]})
    assert (status, [len(row["embedding"]) for row in answer["data"]]) == (200, [128, 128])


def test_a_reranker_has_scores(host):
    body = {"model": "reranker", "query": "a", "documents": ["b", "c"]}
    status, answer = ask(host, "127.0.0.1:58003", "/v1/rerank", body)
    assert (status, len(answer["results"])) == (200, 2)


@pytest.mark.parametrize("port", PORTS.values())
def test_nobody_is_served_without_the_key(host, port):
    assert ask(host, f"127.0.0.1:{port}", "/v1/models", key=None)[0] == 401
    assert ask(host, f"127.0.0.1:{port}", "/v1/models", key="wrong")[0] == 401


def test_the_door_closes_what_the_key_does_not_guard(host):
    body = {"model": "tiny-chat", "prompt": "Hello", "max_tokens": 1}
    assert ask(host, "127.0.12.20:8080", "/v1/completions", body)[0] == 200
    assert ask(host, "127.0.12.20:8080", "/v1/completions", body, key=None)[0] == 401
    assert ask(host, "127.0.12.20:8080", "/health", key=None)[0] == 200
    for path in ("/invocations", "/tokenize", "/metrics", "/docs", "/openapi.json", "/version"):
        assert ask(host, "127.0.12.20:8080", path, body)[0] == 404, path


@pytest.mark.parametrize("name", PORTS)
def test_each_server_is_a_unit_of_its_own(host, name):
    service = host.service(f"vllm@{name}")
    assert service.is_running and service.is_enabled
    shown = host.check_output(f"systemctl show vllm@{name} -p Restart -p KillMode -p User -p LimitMEMLOCK")
    assert set(shown.splitlines()) == {"Restart=always", "KillMode=mixed", "User=vllm", "LimitMEMLOCK=infinity"}


def test_the_key_is_in_files_of_root_and_nowhere_else(host):
    for name in PORTS:
        file = host.file(f"/etc/vllm/{name}.secrets")
        assert (file.user, file.mode) == ("root", 0o600)
    piece = KEY[:3]
    for command in ("cat /etc/systemd/system/vllm@*/*", "ps -eo args", "journalctl --no-pager -u 'vllm@*'"):
        assert piece not in host.check_output(command), command


def test_servers_share_no_memory_with_others(host):
    assert not [name for name in host.file("/dev/shm").listdir() if name.startswith("psm_")]
    assert host.user("vllm").uid < 1000
