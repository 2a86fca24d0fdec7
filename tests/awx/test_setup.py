"""playbooks/awx_setup.yml with the real modules of awx.awx, against a stand-in for AWX's interface.

AWX_COLLECTIONS=folder/with/ansible_collections/awx/awx python -m pytest tests/awx/test_setup.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.awx.api_stand_in import Awx, serve
from tests.awx.jobs import ROOT

COLLECTIONS = os.environ.get("AWX_COLLECTIONS", "")

pytestmark = pytest.mark.skipif(
    not Path(COLLECTIONS, "ansible_collections", "awx", "awx").is_dir(), reason="AWX_COLLECTIONS has no awx.awx"
)


def set_up(port: int) -> None:
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / 'collections'}:{COLLECTIONS}",
        "CONTROLLER_HOST": f"http://127.0.0.1:{port}",
        "CONTROLLER_OAUTH_TOKEN": "a-token-of-nobody",
        "LC_ALL": "C.UTF-8",
    }
    image = json.dumps({"awx_setup_image": "registry.example.org/gpufleet/nvidia-ee:0.1.0"})
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "playbooks/awx_setup.yml", "-e", image]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_run_is_idle_and_one_after_a_change_by_hand_takes_it_back():
    awx = Awx()
    server = serve(awx)
    try:
        set_up(server.server_port)
        assert awx.changes
        assert {len(awx.objects[kind]) for kind in ("job_templates", "workflow_job_template_nodes")} == {8, 16}

        awx.changes.clear()
        set_up(server.server_port)
        assert awx.changes == []

        next(iter(awx.objects["job_templates"].values()))["job_slice_count"] = 99
        set_up(server.server_port)
        assert len(awx.changes) == 1 and "job_slice_count" in awx.changes[0]
    finally:
        server.shutdown()
        server.server_close()
