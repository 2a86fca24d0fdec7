"""The program that systemd runs before and after a server: what it removes, refuses and waits for."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "roles" / "vllm_serve" / "files" / "gpufleet-vllm.py"


@pytest.fixture
def program(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("gpufleet_vllm", PATH)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "RUN", str(tmp_path / "run"))
    monkeypatch.setattr(module, "SHM", str(tmp_path / "shm"))
    (tmp_path / "shm").mkdir()
    return module


def test_it_needs_nothing_but_the_standard_library():
    text = PATH.read_text(encoding="utf-8")
    assert "ansible" not in text.lower().replace("gpufleet.nvidia", "")
    compile(text, str(PATH), "exec", dont_inherit=True)


def test_a_taken_port_is_seen_with_its_owner(program):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        inode = program.listener(port)
        assert inode
        assert f"(process {os.getpid()})" in program.owner(inode)
    assert program.listener(port) == ""


def test_only_memory_that_nobody_holds_and_that_is_the_user_s_is_removed(program, monkeypatch):
    shm = Path(program.SHM)
    for name in ("psm_left", "psm_held", "other"):
        (shm / name).write_text("x", encoding="utf-8")
    monkeypatch.setattr(program, "held_segments", lambda: {str(shm / "psm_held")})
    me = program.pwd.getpwuid(os.getuid()).pw_name
    program.clear_segments("nobody")
    assert len(list(shm.iterdir())) == 3
    program.clear_segments(me)
    assert sorted(path.name for path in shm.iterdir()) == ["other", "psm_held"]


def test_memory_that_a_process_has_open_is_held(program):
    path = Path(program.SHM) / "psm_1"
    with path.open("w", encoding="utf-8"):
        assert str(path) in program.held_segments()


def test_processes_of_other_groups_are_never_touched(program):
    assert program.group_members("") == []
    assert program.group_members("/sys/fs/cgroup/system.slice/nginx.service") == []


def test_one_server_of_a_card_starts_at_a_time(program, monkeypatch):
    starting = {"vllm@a.service"}
    monkeypatch.setattr(program, "is_starting", lambda unit: unit in starting)
    assert program.take_cards("vllm@a.service", ["0", "1"]) == ""
    assert program.take_cards("vllm@b.service", ["1"]) == "vllm@a.service"
    assert program.take_cards("vllm@c.service", ["2"]) == ""
    assert program.take_cards("vllm@a.service", ["0", "1"]) == ""  # started again by systemd
    starting.clear()
    assert program.take_cards("vllm@b.service", ["1"]) == ""


def test_a_server_that_ends_before_it_serves_is_no_longer_waited_for(program, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    monkeypatch.setenv("MAINPID", "4194305")  # more than any process's number
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert program.wait(f"http://127.0.0.1:{port}/health") == 1
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("status", [200, 503])
def test_health_is_an_answer_of_200(program, status):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_args):
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert program.is_healthy(f"http://127.0.0.1:{server.server_port}/health") is (status == 200)
    finally:
        server.shutdown()
        server.server_close()
    assert program.is_healthy(f"http://127.0.0.1:{server.server_port}/health") is False


@pytest.fixture
def leader():
    """A port that is open, as a leader's is; closing it is its end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def followed(program, monkeypatch, port, argv):
    """The exit status of a followed server, and the handler that ends it."""
    handlers: dict = {}
    monkeypatch.setattr(program, "LOOK", 0.1)
    monkeypatch.setattr(program.signal, "signal", handlers.__setitem__)
    return program.follow("127.0.0.1", port, argv), handlers


def test_a_worker_ends_when_its_leader_has_gone(program, monkeypatch, leader, capsys):
    port = leader.getsockname()[1]
    threading.Timer(0.5, leader.close).start()
    status, _handlers = followed(program, monkeypatch, port, ["sleep", "60"])
    assert status == 1
    assert f"its leader at 127.0.0.1, port {port}, is gone" in capsys.readouterr().out


def test_a_worker_waits_for_a_leader_that_was_never_there(program, monkeypatch, leader):
    port = leader.getsockname()[1]
    leader.close()
    assert followed(program, monkeypatch, port, ["sh", "-c", "sleep 1; exit 3"])[0] == 3


@pytest.mark.parametrize(("end", "status"), [("exit 2", 2), ("kill -TERM $$", 143)])
def test_a_worker_ends_as_its_server_does(program, monkeypatch, leader, end, status):
    argv = ["sh", "-c", f'test "$VLLM_HOST_IP" = 127.0.0.1 || exit 9; {end}']
    monkeypatch.delenv("VLLM_HOST_IP", raising=False)
    assert followed(program, monkeypatch, leader.getsockname()[1], argv)[0] == status


def test_a_worker_s_server_is_told_to_end(program, monkeypatch, leader):
    handlers: dict = {}
    monkeypatch.setattr(program.signal, "signal", handlers.__setitem__)

    def tell():
        handlers[signal.SIGTERM]()

    threading.Timer(0.5, tell).start()
    assert program.follow("127.0.0.1", leader.getsockname()[1], ["sleep", "60"]) == 143
