"""The hosts of a scenario: what is done to them by hand, and what the collection's playbooks say of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import testinfra

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Fleet:
    """``scenario``: its name; ``options``: what its playbooks are always given; ``playbook``: the one that mends."""

    scenario: str
    options: tuple[str, ...] = ()
    playbook: str = "site"

    @property
    def inventory(self) -> Path:
        return ROOT / "molecule" / self.scenario / "inventory"

    def hosts(self, pattern: str) -> dict[str, Any]:
        """{name: testinfra's host} of a pattern of the inventory."""
        found = testinfra.get_hosts([f"ansible://{pattern}"], ansible_inventory=str(self.inventory / "hosts.yml"))
        return {host.backend.host: host for host in found}

    def play(self, name: str, *options: str) -> tuple[int, str]:
        """(exit status, output) of a playbook of the collection."""
        argv = ["ansible-playbook", "-i", str(self.inventory), f"playbooks/{name}.yml", *self.options, *options]
        plain = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}  # Molecule asks for colours
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **plain}
        done = subprocess.run(
            argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1800, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def drift(self) -> tuple[int, dict[str, Any]]:
        """(exit status, JSON) of playbooks/drift.yml."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "drift.json"
            rc, output = self.play("drift", "-e", f"drift_output={file}")
            assert file.is_file(), output
            return rc, json.loads(file.read_text(encoding="utf-8"))

    def mend(self, *options: str) -> str:
        """What a run says that has to go well."""
        rc, output = self.play(self.playbook, *options)
        assert rc == 0, output
        return output

    def is_left_alone(self, *hosts: str, options: Sequence[str] = ()) -> None:
        """A run looks at each host once, and drift.yml has nothing to say."""
        output = self.mend(*options)
        for host in hosts:
            assert (recap(output, host, "ok"), recap(output, host, "changed")) == (1, 0), output
        rc, report = self.drift()
        assert rc == 0, report["table"]


def recap(output: str, host: str, word: str) -> int:
    """A count of the host's line at the end of a run."""
    found = re.findall(rf"^{re.escape(host)} +:.*\b{word}=(\d+)", output, flags=re.M)
    assert found, output
    return int(found[-1])


def move(host: Any, what: str, *spared: str) -> None:
    """Runs one of the moves of moves.py on the host."""
    program = (HERE / "moves.py").read_text(encoding="utf-8")
    words = " ".join([what, *spared])
    host.check_output(f"cat > /root/moves.py <<'END'\n{program}\nEND\npython3 /root/moves.py {words}")
