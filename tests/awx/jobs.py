"""Runs a playbook as AWX does: by ansible-runner, from a folder with project, inventory and a survey's answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ("ansible.cfg", "extensions", "galaxy.yml", "meta", "playbooks", "plugins", "roles")
PLACES = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
RUNNER = shutil.which("ansible-runner", path=PLACES)
# Two names for this very machine. Whatever runs on them only looks, or runs as a check.
HERE = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


class Job(NamedTuple):
    status: str
    events: list[dict[str, Any]]

    @property
    def artifacts(self) -> dict[str, Any]:
        """What set_stats has handed on, as AWX keeps it with the job."""
        (stats,) = [row for row in self.events if row["event"] == "playbook_on_stats"]
        return stats["event_data"].get("artifact_data", {})

    def failures(self) -> list[str]:
        rows = [row["event_data"] for row in self.events if row["event"] == "runner_on_failed"]
        return [str(row["res"].get("msg")) for row in rows if not row.get("ignore_errors")]

    def changed(self) -> dict[str, int]:
        (stats,) = [row for row in self.events if row["event"] == "playbook_on_stats"]
        return stats["event_data"]["changed"]


def inventory(*names: str, **variables: Any) -> dict[str, Any]:
    """A fleet of *names*, all of them this machine."""
    groups: dict[str, Any] = {name: {} for name in ("vgpu_guests", "vgpu_hosts", "llm_servers")}
    hosts = {"hosts": dict.fromkeys(names)}
    return {"all": {"vars": {**HERE, **variables}}, "gpu_hosts": {"children": {"gpu_compute": hosts, **groups}}}


def prepare(folder: Path, hosts: dict[str, Any] | Path, answers: dict[str, Any], *words: str) -> Path:
    """The folder that AWX hands to ansible-runner; *hosts* may be a ready inventory's path."""
    project = folder / "project"
    for name in PROJECT:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        copy(source, project / name)
    (project / "collections" / "ansible_collections" / "gpufleet").mkdir(parents=True)
    (project / "collections" / "ansible_collections" / "gpufleet" / "nvidia").symlink_to("../../..")
    (folder / "inventory").mkdir()
    if isinstance(hosts, Path):
        shutil.copytree(hosts, folder / "inventory", dirs_exist_ok=True)
    else:
        (folder / "inventory" / "hosts.yml").write_text(yaml.safe_dump(hosts), encoding="utf-8")
    (folder / "env").mkdir()
    (folder / "env" / "extravars").write_text(json.dumps(answers), encoding="utf-8")
    (folder / "env" / "cmdline").write_text(" ".join(words), encoding="utf-8")
    return folder


def run(folder: Path, pattern: str) -> Job:
    """Runs the template of *pattern* in a prepared folder, with its output beside it."""
    _runner("run", str(folder), "-p", playbook(pattern), "--ident", "job", "--quiet", folder=folder / "project")
    return read(folder)


def run_elsewhere(folder: Path, pattern: str, output: Path) -> Job:
    """The same by the way that AWX's jobs take: sent, run on another node, and taken back."""
    sent = _runner("transmit", str(folder), "-p", playbook(pattern), "--ident", "job")
    (output / "node").mkdir(parents=True)
    done = _runner("worker", "--private-data-dir", str(output / "node"), given=sent)
    (output / "back").mkdir()
    _runner("process", str(output / "back"), "--ident", "job", given=done)
    return read(output / "back")


def playbook(pattern: str) -> str:
    return f"extensions/patterns/{pattern}/playbooks/{pattern}.yml"


def read(folder: Path) -> Job:
    at = folder / "artifacts" / "job"
    events = [json.loads(path.read_text(encoding="utf-8")) for path in (at / "job_events").glob("[0-9]*.json")]
    status = (at / "status").read_text(encoding="utf-8")
    return Job(status, sorted(events, key=lambda row: row["counter"]))


def _runner(*words: str, given: bytes | None = None, folder: Path = ROOT) -> bytes:
    assert RUNNER
    # AWX's nodes know nothing of the shell that somebody has started this from.
    known = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment = {**known, "PATH": PLACES, "LC_ALL": "C.UTF-8", "PWD": str(folder)}
    done = subprocess.run([RUNNER, *words], env=environment, cwd=folder, input=given, capture_output=True, check=False)
    # the job's own end is in its events; what ansible-runner itself refuses is only here
    assert b"usage: ansible-runner" not in done.stderr, done.stderr.decode()
    return done.stdout
