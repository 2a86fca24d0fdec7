"""What went over the connection to a host, as the controller's kernel counts it: with SSH's own framing."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import NamedTuple

from tests.lab.places import SSH_PORT


class Bytes(NamedTuple):
    sent: int
    received: int

    def since(self, before: Bytes) -> Bytes:
        return Bytes(self.sent - before.sent, self.received - before.received)


def parse(text: str) -> list[Bytes]:
    """Reads ``ss -tin``: one entry for each connection that has carried anything."""
    found = []
    for line in text.splitlines():
        counts = dict(re.findall(r"\b(bytes_acked|bytes_received):(\d+)", line))
        if counts:
            found.append(Bytes(int(counts.get("bytes_acked", 0)), int(counts.get("bytes_received", 0))))
    return found


def counted(address: str) -> Bytes:
    """The bytes of the one connection that is kept open to the host."""
    argv = ["ss", "--tcp", "--info", "--numeric", "--no-header", f"dst {address}:{SSH_PORT}"]
    connections = parse(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    if len(connections) != 1:
        sys.exit(f"{len(connections)} connections to {address} are open: only with one can it be said what a run sent.")
    return connections[0]
