"""The hubs' real libraries fetch from a stand-in of the hubs' interfaces; where they are, as a name in the environment.

GPUFLEET_HUB_PYTHON=/path/to/venv/bin/python pytest tests/unit/test_vllm_model_hub.py
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import ModuleSystem, NvidiaError
from ansible_collections.gpufleet.nvidia.plugins.module_utils._vllm_model import ensure
from tests.unit.hub_stand_in import Server, commit_of
from tests.unit.test_vllm_model import safetensors

PYTHON = os.environ.get("GPUFLEET_HUB_PYTHON")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="GPUFLEET_HUB_PYTHON names no Python with huggingface_hub, modelscope"
)
TOKEN = "hf_s3cret"


@pytest.fixture
def hub(tmp_path):
    for revision, text in (("r1", b"a"), ("r2", b"b")):
        folder = tmp_path / "hub/acme/tiny" / revision
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"revision": revision}))
        (folder / "model.safetensors").write_bytes(safetensors(3 << 20, text))
        (folder / "tokenizer.json").write_text("{}")
    (tmp_path / "hub/acme/tiny/main").symlink_to("r1")
    server = Server(0, tmp_path / "hub", TOKEN)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def go(hub: Server, folder: Path, source: str, token: str = TOKEN, **model):
    with patch_module_args({}):
        system = ModuleSystem(AnsibleModule({}))
    address = f"http://127.0.0.1:{hub.server_address[1]}"
    row = {"name": "acme/tiny", "source": source, "revision": None, "path": None, "sha256": {}, "files": [], **model}
    params = {
        "models": [row], "folder": str(folder), "python": PYTHON, "token": token, "modelscope_token": token,
        "endpoint": address, "modelscope_endpoint": address, "offline": False, "refresh": False, "verify": False,
        "timeout": 120,
    }  # fmt: skip
    hub.requests.clear()
    return ensure(params, system, apply=True)


@pytest.mark.parametrize("source", ["huggingface", "modelscope"])
def test_the_real_libraries_fetch_update_and_are_refused(hub, tmp_path, source):
    folder = tmp_path / "models"
    result = go(hub, folder, source)["models"]["acme/tiny"]
    assert result["missing"] == [] and result["config"] == {"revision": "r1"}
    if source == "huggingface":
        assert result["revision"] == commit_of(tmp_path / "hub/acme/tiny/r1")
    assert not go(hub, folder, source)["changed"] and hub.requests == []
    assert go(hub, folder, source, revision="r2")["models"]["acme/tiny"]["config"] == {"revision": "r2"}
    assert not any("GET" in line and "tokenizer" in line for line in hub.requests), "what is the same is not fetched"
    with pytest.raises(NvidiaError, match="Check the revision"):
        go(hub, folder, source, revision="r9")
    with pytest.raises(NvidiaError, match="give a token"):
        go(hub, folder, source, token="wrong", revision="r1")
    assert not go(hub, folder, source, revision="r2")["changed"]


@pytest.mark.parametrize("source", ["huggingface", "modelscope"])
def test_a_connection_that_breaks_costs_nothing_but_time(hub, tmp_path, source):
    hub.cut = 1 << 20
    assert go(hub, tmp_path / "models", source)["models"]["acme/tiny"]["missing"] == []
