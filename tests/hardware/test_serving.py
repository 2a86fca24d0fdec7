"""The GPU build of vLLM on a machine with real GPUs: what role vllm_serve writes starts, and answers. Computes only.

`python3 -m pytest tests/hardware/test_serving.py` where this Python has vLLM. There is no systemd in it: the unit's own
command line, variables and file of secrets are taken from the text that the role would write, and run as they are.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.stack import stack
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_plan import vllm_plan
from ansible_collections.gpufleet.nvidia.plugins.plugin_utils.vllm_service import ready_rows, vllm_secrets, vllm_service
from tests.hardware.test_facts import ROOT, ansible_facts

pytestmark = [
    pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="this machine has no nvidia-smi"),
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="this Python has no vLLM"),
]
KEY = 'k"e\\y$`1%'
SECONDS = 300


def module(name: str, **arguments: object) -> dict:
    """Runs a module of the collection here and gives its result, whether it failed or not."""
    argv = ["ansible", "localhost", "-m", f"gpufleet.nvidia.{name}", "-e", "ansible_python_interpreter=python3"]
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "LC_ALL": "C.UTF-8"}
    argv += ["-a", json.dumps(arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, cwd=ROOT, timeout=SECONDS + 60, check=False)
    print(done.stdout, done.stderr)
    return json.loads(done.stdout.split("=>", 1)[1])


def words(line: str) -> list[str]:
    """Reads a command line or a variable as systemd does."""
    return shlex.split(line.replace("%%", "%").replace("$$", "$"))


def variables(text: str) -> list[str]:
    """Reads a file of variables as systemd does."""
    lines = (shlex.split(line)[0] for line in text.splitlines() if not line.startswith("#"))
    return [line.replace("\\$", "$").replace("\\`", "`") for line in lines]


def values(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


@pytest.fixture(scope="module")
def wants(tmp_path_factory):
    """A chat model and an embedding model on one card."""
    models = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, ROOT / "molecule/vllm_serve/tiny_models.py", models], check=True)
    small = {
        "load_format": "dummy",
        "enforce_eager": True,
        "gpu_memory_share": 0.1,
        "gpus": [0],
        "environment": {"VLLM_USE_FLASHINFER_SAMPLER": "0"},
    }
    return {
        "version": importlib.metadata.version("vllm").partition("+")[0],
        "api_key": KEY,
        "instances": [
            {**small, "name": "llm", "model": f"{models}/llm", "served_names": ["tiny"], "port": 58001},
            {**small, "name": "embedding", "task": "embed", "model": f"{models}/embed", "port": 58002},
        ],
    }


@pytest.fixture(scope="module")
def plan(wants):
    facts = ansible_facts("gpufleet.nvidia.gpu_facts")
    found = vllm_plan(facts, stack(facts, {"vllm_serve": wants}), wants)
    assert [row["text"] for row in found["findings"] if row["severity"] == "error"] == []
    return facts, found


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """An environment that is this Python's, with programs where a virtual environment has them."""
    home = tmp_path_factory.mktemp("vllm")
    (home / "bin").mkdir()
    (home / "bin/python").symlink_to(sys.executable)
    program = home / "bin/vllm"
    program.write_text(
        f"#!{sys.executable}\nfrom vllm.entrypoints.cli.main import main\nif __name__ == '__main__':\n    main()\n"
    )
    program.chmod(0o755)
    return {"environment": str(home), "home": str(home), "cache": str(home / "cache"), "folder": str(home)}


@pytest.fixture(scope="module")
def servers(plan, wants, layout):
    """Both servers, one after the other as their units say; ended at the end."""
    facts, found = plan
    service = vllm_service(found, facts, layout)
    assert [wave["names"] for wave in service["waves"]] == [["llm"], ["embedding"]], "they share a card"
    secrets = {row["path"]: row["content"] for row in vllm_secrets(found, {"vllm_serve_api_key": KEY}, layout)}
    rows = {row["name"]: row for row in ready_rows(found["instances"], {"vllm_serve_api_key": KEY})}
    running, told = {}, {}
    try:
        for wave in service["waves"]:
            (name,) = wave["names"]
            (unit,) = [row["content"] for row in wave["files"] if row["path"].endswith(".conf")]
            lines = [word for line in values(unit, "Environment") for word in words(line)]
            for path in values(unit, "EnvironmentFile"):
                lines += variables(secrets[path])
            argv = words(values(unit, "ExecStart")[0])
            assert KEY not in " ".join(argv)
            log = Path(layout["home"], f"{name}.log")
            env = {**os.environ, **dict(line.split("=", 1) for line in lines)}
            with log.open("wb") as stream:
                running[name] = subprocess.Popen(argv, env=env, stdout=stream, stderr=stream, start_new_session=True)
            told[name] = module("vllm_ready", instances=[rows[name]], timeout=SECONDS)
            assert "instances" in told[name], log.read_text()[-6000:]
        yield {"running": running, "told": told, "rows": rows}
    finally:
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        for process in running.values():
            process.wait(timeout=60)


def test_the_installed_parser_takes_the_command_lines(plan, layout):
    facts, found = plan
    lines = vllm_service(found, facts, layout)["command_lines"]
    result = module("vllm_check", python=sys.executable, command_lines=lines)
    assert result["ok"], result["findings"]


def test_both_servers_answer_a_real_request_of_their_kind(servers):
    for name, result in servers["told"].items():
        print(name, result["instances"][name])
        assert result["instances"][name]["waited_s"] < SECONDS


def test_the_key_is_asked_for(servers):
    request = urllib.request.Request(f"{servers['rows']['llm']['url']}/v1/models")
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=30)
    assert refusal.value.code == 401
    request.add_header("Authorization", f"Bearer {KEY}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert [row["id"] for row in json.load(answer)["data"]] == ["tiny"]
