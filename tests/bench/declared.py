"""What is declared for hosts, as the digests that their records of convergence hold."""

from __future__ import annotations

import re
from pathlib import Path

from tests.bench.plays import spent
from tools.steps import ROOT

PLAYBOOK = ROOT / "tests" / "bench" / "role_inputs.yml"


def parse(output: str) -> dict[str, str]:
    """Reads what the playbook has shown: by host, the digest."""
    return dict(re.findall(r'^ok: \[(\S+)\] => \{\s*"msg": "([0-9a-f]+)"', output, re.MULTILINE))


def digests(inventory: Path, env: dict[str, str] | None = None) -> dict[str, str]:
    return parse(spent(inventory, PLAYBOOK, env=env).output)
