"""A stand-in for a licence service: leases of nothing, over HTTPS, for the stand-in daemon alone.

Its one path and its messages are its own. It speaks nothing of NVIDIA's licence protocol, so no real driver can be
served by it. ``service_stand_in.py CONFIGURATION``: a JSON file with address, port, certificate, key, token (a file to
hand out, as a service does), and what may be edited while it runs: pools (products), clock_offset (seconds that its
clock is ahead), lease_seconds.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SKEW = 600  # seconds between the two clocks that are let pass


def settings() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return found


def lease(wanted: dict[str, Any], here: dict[str, Any], now: float) -> tuple[int, dict[str, Any]]:
    """(HTTP status, answer) to a wish for a lease."""
    if abs(now + here["clock_offset"] - wanted["now"]) > SKEW:
        return 400, {"error": "The allowed time to process response has expired"}
    if wanted["product"] not in here["pools"]:
        return 403, {"error": f"No pool features found for : {wanted['product']}"}
    return 200, {"expires": now + here["lease_seconds"]}


LEASES: dict[str, str] = {}  # product by client


class Door(BaseHTTPRequestHandler):
    def answer(self, status: int, found: object, kind: str = "application/json") -> None:
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def wanted(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return found

    def do_POST(self) -> None:
        wanted = self.wanted()
        status, found = lease(wanted, settings(), time.time())
        if status == 200:
            LEASES[wanted["client"]] = wanted["product"]
        self.answer(status, found)

    def do_DELETE(self) -> None:
        LEASES.pop(self.wanted()["client"], None)
        self.answer(200, {})

    def do_GET(self) -> None:
        if self.path == "/stand-in/leases":
            self.answer(200, LEASES)
        elif self.path == "/client-token.tok":
            self.answer(200, Path(settings()["token"]).read_bytes(), "application/octet-stream")
        elif self.path == "/portal.tok":
            self.answer(200, b"<!DOCTYPE html><html><title>Log in</title></html>", "text/html")
        else:
            self.answer(404, {"error": "not found"})

    def log_message(self, format: str, *words: object) -> None:
        """Says nothing: the tests read what the daemon says."""


def main() -> None:
    here = settings()
    server = ThreadingHTTPServer((here["address"], here["port"]), Door)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(here["certificate"], here["key"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
