#!/usr/bin/env python3
"""Stand-in for the program `vllm`: its processes and exit codes as they were measured of vLLM 0.32.0, and no model.

An API server and an engine below it. SIGTERM while the engine starts is swallowed; an engine that dies ends the server
with 0; a bad option ends it with 2; SIGTERM lets running requests end within --shutdown-timeout. It leaves a file in
/dev/shm, as vLLM does when it is killed. Variables of the environment make it slow (STAND_IN_START, seconds), let it
fail with a line (STAND_IN_FAIL), or refuse an option (STAND_IN_REFUSE).
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STATE = {"healthy": True, "stopping": False, "engine": 0}


def engine(seconds: float) -> int:
    pid = os.fork()
    if pid:
        return pid
    signal.signal(signal.SIGTERM, signal.SIG_IGN if seconds else signal.SIG_DFL)
    ctypes.CDLL(None).prctl(15, b"VLLM::EngineCore", 0, 0, 0)
    segment = f"/dev/shm/psm_{os.getpid():08x}"
    with open(segment, "wb") as file:
        file.truncate(1 << 20)
        while True:
            time.sleep(60)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    names: tuple[str, ...] = ()

    def answer(self, status, data):
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        return

    def is_allowed(self):
        key = os.environ.get("VLLM_API_KEY")
        return not key or not self.path.startswith("/v1") or self.headers.get("Authorization") == f"Bearer {key}"

    def do_GET(self):
        if self.path == "/health":
            self.answer(200 if STATE["healthy"] else 503, {})
        elif not self.is_allowed():
            self.answer(401, {"error": "Unauthorized"})
        elif self.path == "/v1/models":
            self.answer(200, {"data": [{"id": name} for name in self.names]})
        else:
            self.answer(404, {"detail": "Not Found"})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        if not self.is_allowed():
            return self.answer(401, {"error": "Unauthorized"})
        time.sleep(float(asked.get("stand_in_seconds", 0)))
        answers = {
            "/v1/completions": {"choices": [{"text": " ok", "finish_reason": "length"}]},
            "/v1/embeddings": {"data": [{"embedding": [0.6, 0.8]}]},
            "/score": {"data": [{"score": 0.5}]},
            "/rerank": {"results": [{"index": 0, "relevance_score": 0.5}]},
        }
        found = answers.get(self.path) or answers.get(self.path.removeprefix("/v1"))
        return self.answer(200 if found else 404, found or {"detail": "Not Found"})


def main() -> int:
    parser = argparse.ArgumentParser(prog="vllm")
    parser.add_argument("command")
    parser.add_argument("model")
    for name in ("host", "port", "served-model-name", "shutdown-timeout"):
        parser.add_argument(f"--{name}", nargs="+" if name == "served-model-name" else None)
    asked, _others = parser.parse_known_args()
    fail, wait = os.environ.get("STAND_IN_FAIL"), os.environ.get("STAND_IN_START")
    if os.environ.get("STAND_IN_REFUSE"):
        parser.error(f"unrecognized arguments: {os.environ['STAND_IN_REFUSE']}")
    print(f"INFO stand-in for vLLM starts {asked.model} on {asked.port}", flush=True)
    if fail:
        print(fail, file=sys.stderr)
        return 1
    seconds = float(wait or 2)
    signal.signal(signal.SIGTERM, lambda *_args: None)  # while the engine starts, as measured
    STATE["engine"] = engine(seconds)
    time.sleep(seconds)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.1)
    Handler.names = tuple(asked.served_model_name or [asked.model])
    server = ThreadingHTTPServer((asked.host, int(asked.port)), Handler)
    server.daemon_threads = not int(asked.shutdown_timeout or 0)

    def stop(*_args):
        STATE["stopping"] = True
        os.kill(STATE["engine"], signal.SIGKILL)
        threading.Thread(target=server.shutdown).start()

    def lost(*_args):
        STATE["healthy"] = False
        if not STATE["stopping"]:
            print("ERROR EngineCore encountered an issue. The engine is dead.", file=sys.stderr, flush=True)
            threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGCHLD, lost)
    print("INFO Application startup complete.", flush=True)
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
